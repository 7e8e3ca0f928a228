"""Files of vmcnet changed on purpose, and sealed again, as a stranger could: attributes, shapes,
types, links, layouts, bytes; and data files.
"""

import hashlib
import struct

import h5py
import numpy as np

from vmcnet.storage.sealed import USERBLOCK

NAMES = ["x", "energy", "", "0", "-1", "007", "../up", "a/b", "\x1b[31m", "\u202e", "x" * 5000]
VALUES = [0, -1, 1, 2**62, 0.5, 1e308, float("nan"), float("inf"), "", "x", "\x1b[2J", "9" * 400]
JUNK = ["[" * 3000, "seed = " + "9" * 5000, "x", "name = 1", "\ud800".encode("utf-8", "replace")]


def seal(path, kind=None):
    """The SHA-256 of the changed body, as if vmcnet had written it; kind: another word."""
    data = path.read_bytes()
    word = kind or data[:USERBLOCK].split(b" sha256")[0].decode()
    head = f"{word} sha256 {hashlib.sha256(data[USERBLOCK:]).hexdigest()}".encode()
    path.write_bytes(head.ljust(USERBLOCK, b"\0") + data[USERBLOCK:])


def mutate(path, rng) -> str:
    """One to three changes of a sealed file, named."""
    if rng.random() < 0.15:
        return bytewise(path, rng)
    done = []
    with h5py.File(path, "r+", libver="v110") as file:
        for _ in range(int(rng.integers(1, 4))):
            change = CHANGES[int(rng.integers(len(CHANGES)))]
            groups, found = [file], []
            file.visititems(lambda name, item, found=found: found.append(item))
            groups += [item for item in found if isinstance(item, h5py.Group)]
            datasets = [item for item in found if isinstance(item, h5py.Dataset)]
            try:
                change(file, groups, datasets, rng)
                done.append(change.__name__)
            except (KeyError, ValueError, OSError, RuntimeError, TypeError):
                done.append(f"no {change.__name__}")  # two changes that exclude each other
    seal(path)
    return ", ".join(done)


def bytewise(path, rng):
    data = bytearray(path.read_bytes())
    how = int(rng.integers(4))
    if how == 0:
        data[int(rng.integers(len(data)))] ^= 1 << int(rng.integers(8))
    elif how == 1:
        del data[int(rng.integers(USERBLOCK, len(data))) :]
    elif how == 2:
        for _ in range(int(rng.integers(1, 50))):
            data[int(rng.integers(USERBLOCK, len(data)))] = int(rng.integers(256))
    else:
        data += bytes(int(rng.integers(1, 5000)))
    path.write_bytes(data)
    if rng.random() < 0.8:
        seal(path, None if rng.random() < 0.9 else "vmcnet run file")
    return f"bytes {how}"


def one(choices, rng):
    return choices[int(rng.integers(len(choices)))]


def replaced(file, dataset, **options):
    name = dataset.name
    del file[name]
    return file.create_dataset(name, **options)


def remove(file, groups, datasets, rng):
    item = one([*groups[1:], *datasets], rng)
    del file[item.name]


def rename(file, groups, datasets, rng):
    item = one([*groups[1:], *datasets], rng)
    file.move(item.name, f"{item.parent.name}/{one(NAMES, rng)}")


def add(file, groups, datasets, rng):
    name = one(NAMES, rng)
    if rng.random() < 0.5:
        one(groups, rng).create_group(name)
    else:
        one(groups, rng).create_dataset(name, data=np.arange(3.0))


def reshape(file, groups, datasets, rng):
    dataset = one(datasets, rng)
    shapes = [(), (0,), (1,), (len(dataset) + 1 if dataset.ndim else 2,), (3, 3), (0, 7), (1,) * 30]
    shapes += [(10**12,), (250_000_000,), (2**31, 2**31), dataset.shape[::-1], (*dataset.shape, 1)]
    shape = one(shapes, rng)
    if np.prod([float(n) for n in shape]) < 1e4:
        replaced(file, dataset, data=np.ones(shape, dataset.dtype))
    else:
        replaced(file, dataset, shape=shape, dtype=dataset.dtype)


def retype(file, groups, datasets, rng):
    dataset = one(datasets, rng)
    kinds = ["i1", "u8", "f2", ">f8", "c16", "S5", "?", "g", "V7", h5py.string_dtype()]
    kinds += [h5py.ref_dtype, h5py.regionref_dtype, h5py.vlen_dtype(np.float64), [("a", "f8")]]
    kinds += [h5py.enum_dtype({"a": 1, "b": 2}), np.dtype(("f8", (3,)))]
    replaced(file, dataset, shape=dataset.shape, dtype=one(kinds, rng))


def revalue(file, groups, datasets, rng):
    dataset = one(datasets, rng)
    data = np.array(dataset[()])
    value = one([0, -1, 1, 100, float("nan"), float("inf"), 1e300, -1e300], rng)
    with np.errstate(all="ignore"):
        if data.ndim and data.size and rng.random() < 0.5:
            data.flat[int(rng.integers(data.size))] = np.array(value).astype(data.dtype)
        else:
            data[...] = np.array(value).astype(data.dtype)
    dataset[...] = data


def relayout(file, groups, datasets, rng):
    dataset = one(datasets, rng)
    data, how = dataset[()], int(rng.integers(4))
    if how == 0:
        replaced(file, dataset, shape=(int(rng.integers(2, 10**9)),), dtype="f8", chunks=(1000,))
    elif how == 1:
        replaced(
            file, dataset, shape=(250_000_000,), dtype="f8", chunks=(1000,), compression="gzip"
        )
    elif how == 2:
        replaced(file, dataset, data=data, chunks=True, maxshape=(None,) * np.ndim(data))
    else:
        name, plist = dataset.name, h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        plist.set_layout(h5py.h5d.COMPACT)
        space = h5py.h5s.create_simple(np.shape(data))
        del file[name]
        h5py.h5d.create(file.id, name.encode(), h5py.h5t.NATIVE_DOUBLE, space, plist)


def virtual(file, groups, datasets, rng):
    dataset = one(datasets, rng)
    name, shape = dataset.name, one([dataset.shape, (250_000_000,)], rng)
    layout = h5py.VirtualLayout(shape, "f8")
    if shape:
        layout[: min(3, shape[0])] = h5py.VirtualSource(
            one([".", "/etc/passwd", "none.h5"], rng), "x", (min(3, shape[0]), *shape[1:])
        )
    del file[name]
    file.create_virtual_dataset(name, layout)


def external(file, groups, datasets, rng):
    replaced(file, one(datasets, rng), shape=(10,), dtype="f8", external=[("/etc/passwd", 0, 80)])


def link(file, groups, datasets, rng):
    item = one([*groups[1:], *datasets], rng)
    target = one(
        [
            h5py.SoftLink("/training"),
            h5py.SoftLink(item.name),
            h5py.ExternalLink("other.h5", "/x"),
            file["/"],
            one(groups, rng),
            one(datasets, rng),
        ],
        rng,
    )
    name = item.name
    if rng.random() < 0.5:
        del file[name]
        file[name] = target
    else:
        one(groups, rng)["again"] = target


def commit(file, groups, datasets, rng):
    item = one(datasets, rng)
    name = item.name
    del file[name]
    file[name] = np.dtype("f8")


def attribute(file, groups, datasets, rng):
    """One attribute gone, of another type or value, or one more."""
    held = [g for g in groups if len(g.attrs)]
    group = one(held or groups, rng)
    name = one(list(group.attrs) or ["x"], rng)
    how = int(rng.integers(9))
    if how == 0:
        del group.attrs[name]
    elif how == 1:
        group.attrs[name] = one(VALUES, rng)
    elif how == 2:
        group.attrs[name] = np.zeros(one([(3,), (0,), (100, 100), (1,)], rng))
    elif how == 3:
        group.attrs[name] = h5py.Empty("f8")
    elif how == 4:
        group.attrs[name] = np.bytes_(b"\xff\xfe\x00")
    elif how == 5:
        group.attrs.create(name, file.ref, dtype=h5py.ref_dtype)
    elif how == 6:
        group.attrs.create(name, np.void(b"\0\1"))
    elif how == 7:
        group.attrs[one(NAMES[:2] + NAMES[7:], rng)] = one(VALUES, rng)
    else:
        group.attrs[name] = np.array([1.0, 2.0, 3.0], dtype="f8")[0]


def job(file, groups, datasets, rng):
    """The job of a run file, with a key of it changed or its text broken."""
    text = str(file.attrs["job"])
    lines = text.splitlines()
    how = int(rng.integers(4))
    if how == 0:
        del lines[int(rng.integers(len(lines)))]
    elif how == 1:
        k = int(rng.integers(len(lines)))
        key = lines[k].split("=")[0]
        value = one(["0", "-1", "1e300", '"x"', "[]", "true", "4096", "nan", "{}", "7"], rng)
        lines[k] = f"{key}= {value}" if "=" in lines[k] else lines[k]
    elif how == 2:
        lines = [one(JUNK[:4], rng)]
    else:
        lines.insert(0, one(['data = {file = "/dev/zero"}', "zzz = 1", "\ufeff"], rng))
    file.attrs["job"] = "\n".join(lines)


CHANGES = [remove, rename, add, reshape, reshape, retype, retype, revalue, revalue, relayout]
CHANGES += [virtual, external, link, link, commit, attribute, attribute, attribute, attribute, job]


def data_file(path, rows, rng) -> str:
    """A data file for samples (W, n) of 0 and 1, in some form, with one or two faults; named."""
    table = np.array(rows, one([np.uint8, np.int64, np.float64, np.float32, bool], rng))
    faults = int(rng.integers(8))
    if faults == 1:
        table = table.astype(float)
        table.flat[int(rng.integers(table.size))] = one([np.nan, np.inf, 0.5, -1, 2, 1e300], rng)
    elif faults == 2:
        table = table[:, : int(rng.integers(table.shape[1]))]
    elif faults == 3:
        table = table.astype(one(["c16", "M8[D]", "S3", "U2", "g", ">f8", "f2", "m8[s]"], rng))
    elif faults == 4:
        table = table.reshape(one([(-1,), (1, *table.shape), table.shape[::-1]], rng))
    if path.suffix == ".npy":
        np.save(path, table)
    else:
        table = table if table.ndim == 2 else table.reshape(1, -1)
        lines = [path_separator(path).join(map(str, row)) for row in table.tolist()]
        path.write_text("\n".join(lines) + "\n")
    data = bytearray(path.read_bytes())
    if faults == 5:
        del data[int(rng.integers(len(data) + 1)) :]
    elif faults == 6:
        for _ in range(int(rng.integers(1, 9))):
            data[int(rng.integers(min(len(data), 130)))] = int(rng.integers(256))
    elif faults == 7:
        shape = one(["(1000000000, 9)", "(-1, 9)", "(9, 10**30)", "()", "(" * 400, "(2, 9.5)"], rng)
        text = f"{{'descr': '<f8', 'fortran_order': False, 'shape': {shape}, }}\n".encode()
        data[:] = b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text + bytes(80)
    path.write_bytes(data)
    return f"data {faults}"


def path_separator(path):
    return "," if path.suffix == ".csv" else " "
