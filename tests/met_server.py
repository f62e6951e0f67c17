"""A mock of the Metropolitan Museum's API on the loopback address, with its faults."""

import io
import json
import threading
import time
from collections import defaultdict, deque
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

import numpy as np
from PIL import Image

API = "/public/collection/v1"
TAGS = ["Men", "Women", "Horses", "Portraits", "Landscapes"]


def jpeg(seed, size=(84, 72)):
    """Draw an image with some detail, different for each seed."""
    coarse = np.random.default_rng(seed).integers(0, 256, (6, 7, 3), dtype=np.uint8)
    file = io.BytesIO()
    Image.fromarray(coarse).resize(size).save(file, "JPEG")
    return file.getvalue()


class FakeMet:
    """The museum: its objects, the faults that it will play, and what it was asked.

    A fault is a status, a pair of it and Retry-After, `cut`, `short`, `html`, `other`, which spoil
    what is sent, or where a redirect leads.
    """

    def __init__(self):
        self.departments, self.records, self.images = {}, {}, {}
        self.faults = defaultdict(deque)  # by path, to be played before the true answer
        self.asked = []  # time and path of each request
        self.base = ""

    @property
    def api(self):
        return self.base + API

    def add(self, object_id, department=11, image=True, **fields):
        """Hang up an object; `fields` replace what a plain one has."""
        self.departments.setdefault(department, []).append(object_id)
        path = f"/CRDImages/web-large/{object_id}.jpg"
        if image:
            self.images[path] = jpeg(object_id)
        self.records[object_id] = {
            "objectID": object_id,
            "isPublicDomain": True,
            "primaryImageSmall": self.base + path if image else "",
            "culture": "",
            "country": "",
            "artistNationality": "French",
            "tags": [{"term": TAGS[object_id % 5], "AAT_URL": ""}, {"term": TAGS[object_id % 3]}],
            "classification": "Paintings",
            "title": f"Work {object_id}",
            "objectURL": f"https://www.metmuseum.org/art/collection/search/{object_id}",
            **fields,
        }

    def add_mixed(self, number, department=11, first=1):
        """Hang up objects as the museum has them: a third is not free, or has no image or label."""
        for object_id in range(first, first + number):
            kind = object_id % 9
            fields = {"isPublicDomain": False} if kind == 0 else {}
            if kind == 1:
                fields = {"tags": None, "artistNationality": "", "culture": None}
            self.add(object_id, department, image=kind != 2, **fields)

    def object_path(self, object_id):
        return f"{API}/objects/{object_id}"

    def image_path(self, object_id):
        return urlsplit(self.records[object_id]["primaryImageSmall"]).path

    def asked_paths(self):
        return [path for _, path in self.asked]

    def answer(self, target):
        """Return the bytes at a path with its type, or None."""
        path, query = urlsplit(target).path, parse_qs(urlsplit(target).query)
        if path in self.images:
            return self.images[path], "image/jpeg"
        found = None
        if path == f"{API}/objects":
            ids = self.departments.get(int(query["departmentIds"][0]))
            found = {"total": len(ids or []), "objectIDs": ids}
        elif path.startswith(f"{API}/objects/"):
            found = self.records.get(int(path.rpartition("/")[2]))
        return found and (json.dumps(found).encode(), "application/json; charset=UTF-8")

    def play(self, handler, target):
        """Answer a request, or play the next fault of its path."""
        self.asked.append((time.monotonic(), target))
        faults = self.faults[urlsplit(target).path]
        fault = faults.popleft() if faults else None
        content, kind = self.answer(target) or (b'{"message": "Not a valid object"}', "")
        status, headers, sent = (200 if kind else 404), {}, content
        if isinstance(fault, tuple):
            status, headers["Retry-After"] = fault
        elif isinstance(fault, int):
            status = fault
        elif fault == "cut":
            sent = content[: len(content) // 2]
        elif fault == "short":  # cut, but of the length that it says
            sent = content = content[: len(content) // 2]
        elif fault == "html":
            sent = content = b"<html><iframe src=/challenge></html>"
            kind = "text/html"
        elif fault == "other":
            sent = content = self.answer(self.object_path(min(self.records)))[0]
        elif fault:
            status, headers["Location"] = 302, fault
        handler.send_response(status)
        for name, value in {"Content-Type": kind, **headers}.items():
            handler.send_header(name, value)
        handler.send_header("Content-Length", str(len(content)))
        handler.end_headers()
        handler.wfile.write(sent)
        handler.close_connection = True


@contextmanager
def serve_met():
    """Serve a museum on the loopback address, and close it at the end."""
    met = FakeMet()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            met.play(self, self.path)

        def log_message(self, *_):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        met.base = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        try:
            yield met
        finally:
            server.shutdown()
            thread.join()
