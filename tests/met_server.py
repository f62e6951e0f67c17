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


class FakeMet(ThreadingHTTPServer):
    """The museum: its objects, the faults that it will play, and what it was asked.

    A fault is a status, a pair of it and Retry-After, `cut`, `short`, `html`, `other`, which spoil
    what is sent, or where a redirect leads.
    """

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.base = f"http://127.0.0.1:{self.server_port}"
        self.api = self.base + API
        self.clear()

    def clear(self):
        """Take all objects down, and forget what was asked."""
        self.departments, self.records, self.images = defaultdict(list), {}, {}
        self.faults = defaultdict(deque)  # by path, to be played before the true answer
        self.asked = []  # time and path of each request

    def add(self, object_id, department=11, image=True, **fields):
        """Hang up an object; `fields` replace what a plain one has."""
        self.departments[department].append(object_id)
        path = f"/CRDImages/web-large/{object_id}.jpg"
        if image:
            self.images[path] = jpeg(object_id)
        self.records[object_id] = {
            "objectID": object_id,
            "isPublicDomain": True,
            "primaryImageSmall": self.base + path if image else "",
            "artistNationality": "French",
            "tags": [{"term": TAGS[object_id % 5], "AAT_URL": ""}, {"term": TAGS[object_id % 3]}],
            "classification": "Paintings",
            "title": f"Work {object_id}",
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


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        met, path = self.server, urlsplit(self.path).path
        met.asked.append((time.monotonic(), self.path))
        fault = met.faults[path].popleft() if met.faults[path] else None
        content, kind = met.answer(self.path) or (b'{"message": "Not a valid object"}', "")
        status, headers, half = (200 if kind else 404), {}, len(content) // 2
        if isinstance(fault, tuple):
            status, headers["Retry-After"] = fault
        elif isinstance(fault, int):
            status = fault
        elif fault == "short":  # cut, but of the length that it says
            content = content[:half]
        elif fault == "html":
            content, kind = b"<html><iframe src=/challenge></html>", "text/html"
        elif fault == "other":
            content, _ = met.answer(met.object_path(min(met.records)))
        elif fault and fault != "cut":
            status, headers["Location"] = 302, fault
        self.send_response(status)
        headers |= {"Content-Type": kind, "Content-Length": str(len(content))}
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content[:half] if fault == "cut" else content)
        self.close_connection = True

    def log_message(self, *_):
        pass


@contextmanager
def serve_met():
    """Serve a museum on the loopback address, and close it at the end."""
    with FakeMet() as met:
        thread = threading.Thread(target=met.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        try:
            yield met
        finally:
            met.shutdown()
            thread.join()
