"""Collections from the museum's API, mocked on the loopback address with its faults."""

import os
import random
import signal
import time
from contextlib import suppress

import pandas as pd
import pytest
from filelock import FileLock
from met_server import API, jpeg, serve_met
from PIL import Image
from small_data import read_rows

from imet_tools.museums import Unavailable, collect_met, requesting
from imet_tools.museums.__main__ import main
from imet_tools.museums.collecting import MET_API
from imet_tools.museums.met_records import label_names, parse_listing
from imet_tools.museums.requesting import Client
from imet_utils.files import load_json
from imet_utils.tables import find_images, load_tables

KILLS = int(os.environ.get("IMET_KILLS", "3"))
LISTING = f"{API}/objects"
FAULTS = ["cut", "short", "other", "html", 403, 429, 500, (503, "0")]


@pytest.fixture
def met(monkeypatch):
    monkeypatch.setattr(requesting, "REFUSED_WAIT", 0.02)
    monkeypatch.setattr(requesting, "FASTEST", 0)
    with serve_met() as museum:
        yield museum


def collect(met, folder, departments=(11,), images=50, min_images=1, pace=0, **more):
    return collect_met(folder, departments, images, min_images, seconds=pace, api=met.api, **more)


def collected_ids(folder):
    return load_tables(folder).images["id"].tolist()


def contents(folder):
    """Read all files of a finished collection, where there are no leftovers."""
    assert [path.name for path in folder.rglob(".*") if path.name != ".lock"] == []
    files = [*find_images(folder / "train", collected_ids(folder)), *sorted(folder.glob("*.csv"))]
    return {file.name: file.read_bytes() for file in files}


def test_a_collection_is_in_imets_layout_with_the_source_of_each_image(met, tmp_path):
    met.add_mixed(27)
    met.add(100, culture="Probably Italian, Venice", title="=1+1", tags=None)
    met.images[met.image_path(100)] = jpeg(100, (421, 360))
    summary = collect(met, tmp_path)
    good = [str(n) for n in range(1, 28) if n % 9 > 2] + ["100"]
    tables, sources = load_tables(tmp_path), read_rows(tmp_path / "sources.csv")
    assert tables.images["id"].tolist() == [row["id"] for row in sources] == good
    assert (summary.images, summary.labels) == (len(good), tables.num_classes)
    names = tables.labels["attribute_name"].tolist()
    labels = [[names[k] for k in labels] for labels in tables.images["labels"]]
    assert labels[0] == ["culture::french", "tag::men", "tag::portraits"]
    assert labels[-1] == ["culture::italian", "culture::venice"]
    for name, size in (("100", (351, 300)), ("3", (84, 72))):  # made smaller, never larger
        with Image.open(tmp_path / f"train/{name}.jpg") as image:
            assert (image.size, image.format) == (size, "JPEG")
    assert sources[0]["image_url"] == met.records[3]["primaryImageSmall"]
    assert {row["licence"] for row in sources} == {"CC0 1.0"}
    assert sources[-1]["title"] == "'=1+1"  # a spreadsheet does not compute it
    # A list, a record an object, an image a good one; nothing of what is not free or has no label.
    assert summary.requests == len(met.asked) == 1 + 28 + 19


def test_a_finished_collection_asks_for_nothing_can_grow_and_is_kept_offline(met, tmp_path):
    met.add_mixed(40)
    collect(met, tmp_path, images=5)
    first = contents(tmp_path)
    met.asked.clear()
    assert collect(met, tmp_path, images=5).requests == len(met.asked) == 0
    assert contents(tmp_path) == first
    grown = collect(met, tmp_path, images=9)
    assert grown.images == 9
    assert grown.requests == len(set(met.asked_paths()))
    assert first.keys() < (larger := contents(tmp_path)).keys()
    met.shutdown()
    met.server_close()
    with pytest.raises(Unavailable, match=r"9 requests in a row.*no connection"):
        collect(met, tmp_path, images=15)
    assert contents(tmp_path) == larger


def test_rare_labels_and_the_images_that_have_no_other_are_dropped(met, tmp_path):
    for n, names in enumerate([*["Men"] * 6, "Zebras", "Zebras Men"], start=1):
        met.add(n, tags=[{"term": name} for name in names.split()], artistNationality="")
    summary = collect(met, tmp_path, min_images=3)
    assert read_rows(tmp_path / "labels.csv") == [
        {"attribute_id": "0", "attribute_name": "tag::men"}
    ]
    assert [row["id"] for row in read_rows(tmp_path / "train.csv")] == [*"1234568"]
    assert (summary.images, summary.labels, summary.left_out) == (7, 1, 1)
    with pytest.raises(ValueError, match="9 of the 8 images"):
        collect(met, tmp_path, min_images=9)


@pytest.mark.parametrize(
    ("record", "cultures"),
    [
        ({"culture": "French, Sèvres"}, ["french", "sevres"]),
        ({"culture": "possibly British (Kent)", "country": "France"}, ["british", "kent"]),
        ({"culture": "Culture unknown", "country": "Egypt"}, ["egypt"]),
        ({"culture": "", "artistNationality": "French|German"}, ["french", "german"]),
        ({}, []),
    ],
)
def test_cultures_are_cleaned(record, cultures):
    expected = [*(f"culture::{name}" for name in cultures), "tag::men"]
    record = {"tags": [" Men ", "", "::"], "classification": "Prints", **record}
    assert label_names(record) == expected
    assert label_names(record, classification=True) == [*expected, "tag::prints"]


def test_the_museums_table_gives_labels_and_saves_requests(met, tmp_path):
    met.add_mixed(18)
    met.add(50, department=9)
    path, table = tmp_path / "MetObjects.csv", []
    fields = {"Culture": "Dutch", "Country": "", "Artist Nationality": "", "Classification": ""}
    fields |= {"Tags": "Ships|Sea", "Link Resource": "there"}
    for n, record in met.records.items():
        own = {"Object ID": n, "Title": f'A "work",\n{n}'}
        table.append(fields | own | {"Is Public Domain": str(record["isPublicDomain"])})
    table[4] |= {"Culture": "", "Tags": ""}
    table[5] |= {"Is Public Domain": "False"}
    pd.DataFrame(table).to_csv(path, index=False, encoding="utf-8-sig")
    summary = collect(met, tmp_path / "new", table=path)
    good = [str(n) for n in range(1, 19) if n % 9 not in (0, 2) and n not in (5, 6)]
    assert collected_ids(tmp_path / "new") == good
    names = load_tables(tmp_path / "new").labels["attribute_name"]
    assert names.tolist() == ["culture::dutch", "tag::sea", "tag::ships"]
    assert read_rows(tmp_path / "new/sources.csv")[0]["title"] == 'A "work",\n1'
    # The list, the records of the 14 that the table shows, and the images of the 12 that have one.
    assert (summary.images, summary.requests) == (12, 1 + 14 + 12)
    assert not {met.object_path(n) for n in (5, 6, 9, 18)} & set(met.asked_paths())
    path.write_text("version https://git-lfs.github.com/spec/v1\n")
    with pytest.raises(ValueError, match=r"MetObjects\.csv is not the museum's"):
        collect(met, tmp_path / "new", table=path)


def test_what_is_cut_wrong_or_refused_is_fetched_again(met, tmp_path, monkeypatch):
    monkeypatch.setattr(requesting, "MAX_BYTES", 100_000)
    met.add_mixed(42)
    del met.images[met.image_path(21)], met.records[22]
    collect(met, tmp_path / "sound")
    met.images[met.image_path(24)] = jpeg(24) + bytes(150_000)
    twice, image_lost, lost = [3, 4, 5, 6, 7, 8, 12, 13], [14, 15, 16, 17], [30, 31, 32, 33]
    for n, fault in zip(twice, FAULTS, strict=True):
        for path in (met.object_path(n), met.image_path(n)):
            met.faults[path].extend([fault] * 2)
    for n, other, fault in zip(image_lost, lost, [*FAULTS[:3], 500], strict=True):
        for path in (met.image_path(n), met.object_path(other)):
            met.faults[path].extend([fault] * 3)
    summary = collect(met, tmp_path / "new")
    assert (summary.failed, summary.failures) == (9, len(FAULTS) * 4 + 9 * 3)
    left_out = set(collected_ids(tmp_path / "sound")) - set(collected_ids(tmp_path / "new"))
    assert left_out == {str(n) for n in (24, *image_lost, *lost)}
    met.images[met.image_path(24)] = jpeg(24)
    met.asked.clear()
    collect(met, tmp_path / "new")
    assert len(met.asked) == 9 + 4  # a record and an image, but not what is no longer there
    for fault in FAULTS:
        met.faults[LISTING].extend([fault] * 2)
        (tmp_path / "new/met/department_11.json").unlink()
        assert collect(met, tmp_path / "new").failures == 2
    assert contents(tmp_path / "new") == contents(tmp_path / "sound")


def test_redirects_within_the_museum_alone_are_followed_at_its_pace(met, tmp_path):
    met.add_mixed(14)
    with serve_met() as stranger:
        stranger.add(6)
        met.faults[met.image_path(3)].append(met.base + met.image_path(4))
        met.faults[met.image_path(6)].append(stranger.base + stranger.image_path(6))
        met.records[7]["primaryImageSmall"] = stranger.base + stranger.image_path(6)
        met.records[8]["primaryImageSmall"] = "file:///etc/hostname"
        summary = collect(met, tmp_path, pace=0.02)
        assert stranger.asked == []
    assert {"3", "6", "7", "8"} & {*collected_ids(tmp_path)} == {"3"}
    assert summary.failed == 3
    assert summary.requests == len(met.asked)  # each hop waits for its turn
    assert met.asked[-1][0] - met.asked[0][0] > 0.9 * 0.02 * (len(met.asked) - 1)


def test_only_the_museums_hosts_can_be_reached(tmp_path):
    session = Client(MET_API, 1.0, tmp_path).session
    for host in ("images.metmuseum.org", "collectionapi.metmuseum.org"):
        assert session.get_adapter(f"https://{host}/a")
        hidden = (f"https://{host}.a.com/", f"https://{host}@a.com/", f"https://a.com/{host}/")
        for url in (f"http://{host}/a", "file:///etc/passwd", *hidden):
            with pytest.raises(requesting.ELSEWHERE):
                session.get_adapter(url)


def test_it_waits_as_long_as_told_and_then_goes_slower(met, tmp_path):
    met.add_mixed(12)
    met.faults[met.object_path(4)].append((429, "1"))
    collect(met, tmp_path / "slow", pace=0.02)
    moments = [moment for moment, path in met.asked if path == met.object_path(4)]
    assert moments[1] - moments[0] > 0.9
    after = [moment for moment, _ in met.asked if moment >= moments[1]]
    assert after[-1] - after[0] > 1.1 * 0.02 * (len(after) - 1)
    assert load_json(tmp_path / "slow/met/pace.json")[1] == pytest.approx(0.03)
    met.faults[met.object_path(4)].append((429, "86400"))
    met.asked.clear()
    for _ in range(2):  # a new start keeps to it
        with pytest.raises(Unavailable, match="asks to wait until"):
            collect(met, tmp_path / "new")
    assert met.asked_paths().count(met.object_path(4)) == 1
    assert not (tmp_path / "new/train.csv").exists()


def test_waits_double_until_too_many_failures_in_a_row_end_the_run(met, tmp_path, monkeypatch):
    waits = []
    client = Client(met.api, 0, tmp_path)
    monkeypatch.setattr(requesting, "REFUSED_WAIT", 30)
    monkeypatch.setattr(requesting.time, "sleep", waits.append)
    met.faults[LISTING].extend([403] * 9)
    for kind in (requesting.Failed, requesting.Failed, Unavailable):
        with pytest.raises(kind, match="status 403"):
            client.get(f"{met.api}/objects?departmentIds=11", parse_listing)
    assert client.pace.requests == client.failures == len(met.asked) == 9
    assert waits[1:] == pytest.approx([min(30 * 2**k, 900) for k in range(8)], rel=0.1)


def fill(met):
    """Hang up 160 objects in two departments, and spoil a twelfth of what is asked."""
    met.clear()
    met.add_mixed(60)
    met.add_mixed(100, department=9, first=1001)
    draw, paths = random.Random(0), [*map(met.object_path, met.records), *met.images]
    for path in draw.sample(paths, len(paths) // 12):
        met.faults[path].append(draw.choice([*FAULTS, 502]))


def test_killed_at_any_moment_it_goes_on_to_the_same_collection(met, tmp_path):
    options = {"departments": (11, 9), "images": 60, "min_images": 3}
    fill(met)
    assert collect(met, tmp_path / "whole", **options).failed == 0
    assert 20 <= sum(len(name) == 4 for name in collected_ids(tmp_path / "whole")) <= 40
    alone, moments = len(met.asked), random.Random(1)
    fill(met)
    for kill in range(KILLS):
        wanted = len(met.asked) + alone / (KILLS + 1) * moments.uniform(0.5, 1.2)
        child = os.fork()
        if child == 0:
            with suppress(BaseException):
                collect(met, tmp_path / "new", **options)
            os._exit(0)
        while len(met.asked) < wanted and not os.waitpid(child, os.WNOHANG)[0]:
            time.sleep(0.001)
        time.sleep(moments.uniform(0, 0.03))
        os.kill(child, signal.SIGKILL)
        assert os.waitpid(child, 0)[1] == signal.SIGKILL, f"ended before kill {kill}"
        with pytest.raises(FileNotFoundError, match=r"train\.csv is missing"):
            load_tables(tmp_path / "new")
    collect(met, tmp_path / "new", **options)
    assert contents(tmp_path / "new") == contents(tmp_path / "whole")
    assert len(met.asked) - alone <= 3 * KILLS  # requests under way when it was killed


def test_the_command_collects_and_reports(met, tmp_path, capsys, monkeypatch):
    met.add_mixed(14)
    options = ["--museum", "met", "--departments", "11", "--min-images", "1", "--classification"]
    options += ["--seconds", "0", "--api", met.api]
    assert main([str(tmp_path / "new"), *options, "--images", "5"]) == 0
    assert "5 images with" in capsys.readouterr().out
    assert main([str(tmp_path / "seed"), *options, "--images", "5", "--seed", "1"]) == 0
    ids, others = (collected_ids(tmp_path / name) for name in ("new", "seed"))
    assert len(ids) == len(others) == 5
    assert ids != others
    assert "tag::paintings" in (tmp_path / "new/labels.csv").read_text()
    assert main([str(tmp_path / "new"), *options, "--departments", "9"]) == 2
    assert f"no department 9; {met.api}/departments lists all" in capsys.readouterr().err
    met.faults[LISTING].append((429, "90000"))
    assert main([str(tmp_path / "other"), *options]) == 1
    assert "resume" in capsys.readouterr().err
    monkeypatch.undo()  # of the mock's pace
    assert main([str(tmp_path / "fast"), "--seconds", "0.01"]) == 2
    assert "80 requests a second: 0.01 s" in capsys.readouterr().err


def test_a_folder_of_something_else_or_of_another_run_is_refused(met, tmp_path):
    met.add_mixed(9)
    (tmp_path / "train.csv").write_text("mine")
    with pytest.raises(ValueError, match="holds other files"):
        collect(met, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["train.csv"]
    collect(met, tmp_path / "new", images=2)
    with FileLock(tmp_path / "new/met/.lock"), pytest.raises(ValueError, match="by another run"):
        collect(met, tmp_path / "new", images=3)
