"""Job text: every job reads back as itself, odd files and settings are one line, 200 (verify: 10
000) mutated jobs are understood or refused without a traceback and without memory.
"""

import copy
import os
import random
import resource
import typing

import annotated_types
import pytest
import tomli_w
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, ValidationError

from tests.runs import JOB, ROOT, many, vmcnet
from vmcnet.config import Job, JobError, check_resume, job_text, load_job, parse_job
from vmcnet.config.job import DEEPEST, LARGEST_FILE, changed_keys
from vmcnet.config.user import UserTable
from vmcnet.runs.building import build

TEXTS = st.text(st.characters(codec="utf-8"), min_size=1, max_size=20)


def limits(metadata):
    out = {}
    for item in metadata:
        for part in getattr(item, "metadata", [item]):
            for name in ("ge", "gt", "le", "lt", "min_length", "max_length"):
                if getattr(part, name, None) is not None:
                    out[name] = getattr(part, name)
            if isinstance(part, annotated_types.Len):
                out["min_length"] = part.min_length
    return out


def values(annotation, metadata=()):
    """Any value of an annotation of the tables of a job, within its limits."""
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is typing.Annotated:
        return values(arguments[0], [*metadata, *arguments[1:]])
    bounds = limits(metadata)
    if origin is typing.Literal:
        return st.sampled_from(arguments)
    if origin is list:
        return st.lists(
            values(arguments[0]),
            min_size=bounds.get("min_length", 0),
            max_size=min(bounds.get("max_length") or 4, 4),
        )
    if arguments:
        known = [a for a in arguments if a is not UserTable and isinstance(a, type)]
        return st.one_of(*(values(a, metadata) for a in known or arguments))
    if annotation is type(None):
        return st.none()
    if annotation is bool:
        return st.booleans()
    if annotation is int:
        low = bounds.get("ge", bounds.get("gt", -(2**63)))
        return st.integers(low, bounds.get("le", bounds.get("lt", 2**63) - 1))
    if annotation is float:
        low, high = bounds.get("ge", bounds.get("gt")), bounds.get("le", bounds.get("lt"))
        return st.floats(
            low,
            high,
            allow_nan=False,
            allow_infinity=False,
            exclude_min="gt" in bounds,
            exclude_max="lt" in bounds,
        )
    if annotation is str:
        return TEXTS
    assert issubclass(annotation, BaseModel), annotation
    return table(annotation)


def table(model):
    fields = {k: values(i.annotation, i.metadata) for k, i in model.model_fields.items()}
    required = {k for k, i in model.model_fields.items() if i.is_required() or k == "type"}
    return st.fixed_dictionaries(
        {k: fields[k] for k in required},
        optional={k: fields[k] for k in fields if k not in required},
    )


@st.composite
def jobs(draw):
    """A valid job; keys whose values exclude each other are left out."""
    data = draw(table(Job))
    data["name"] = draw(st.from_regex(r"\A[A-Za-z0-9][A-Za-z0-9_.-]{0,20}\Z"))
    sampling = data.setdefault("sampling", {})
    sampling["block"] = draw(st.integers(1, 512))
    sampling["walkers"] = sampling["block"] * draw(st.integers(2, 1000))
    for key in ("scan", "acceptance"):
        sampling.pop(key, None)
    for name, keys in (("training", ["growth"]), ("run", ["wall_time"])):
        for key in keys:
            data.get(name, {}).pop(key, None)
    data.pop("twists", None)
    try:
        return Job.model_validate(without_none(data))
    except ValidationError:
        data.pop("evaluation", None)
        data["observable"] = []
        return Job.model_validate(without_none(data))


def without_none(value):
    if isinstance(value, dict):
        return {k: without_none(v) for k, v in value.items() if v is not None}
    return [without_none(v) for v in value] if isinstance(value, list) else value


@settings(max_examples=many(40, 120), deadline=None)
@given(jobs())
def test_every_job_reads_back_as_itself(job):
    text = job_text(job)
    text.encode()
    again = parse_job(text)
    assert again == job and job_text(again) == text and changed_keys(job, again) == []
    check_resume(job, again, 0)


@pytest.mark.parametrize(
    "name", ["samples_\U0001f600.npy", "\U00020bb7.npy", "a\tb", "\x7f", 'q"\\']
)
def test_texts_of_all_characters(name):
    job = parse_job(JOB, ["data.file=" + tomli_w.dumps({"x": name})[4:].strip()])
    assert job.data.file == name and parse_job(job_text(job)) == job


def test_files(tmp_path):
    path = tmp_path / "job.toml"
    path.write_bytes(b"\xef\xbb\xbf" + JOB.encode())
    assert load_job(path) == parse_job(JOB) == parse_job("\ufeff" + JOB)
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "large").write_bytes(b"#" * (LARGEST_FILE + 1))
    for name, words in (
        (tmp_path / "pipe", "not a regular file"),
        ("/dev/zero", "not a regular file"),
        (tmp_path, "Is a directory"),
        (tmp_path / "large", "4 MB is no job file"),
        (tmp_path / "none", "No such file"),
        ("a\0b", "not a path"),
    ):
        with pytest.raises(JobError, match=words) as error:
            load_job(name)
        assert "\n" not in str(error.value)


LINES = {  # text, settings -> words of the one line
    "deep list": ("", ["system.edges=" + "[" * 5000], "system.edges"),
    "deep list, closed": ("", ["system.edges=" + "[" * 900 + "]" * 900], "system.edges"),
    "deep list in a file": ("x = " + "[" * 100 + "]" * 100, [], f"more than {DEEPEST} deep"),
    "deeper list in a file": ("x = " + "[" * 50000 + "]" * 50000, [], "not valid TOML: nested"),
    "long key": (".".join("a" * 3000) + " = 1", [], f"more than {DEEPEST} deep"),
    "long key of --set": ("", [".".join("a" * 3000) + "=1"], f"more than {DEEPEST} deep"),
    "wide key": ("a" * 100_000 + " = 1", [], "unknown key"),
    "digits": ("seed = " + "9" * 5000, [], "a number of more than 4300 digits"),
    "digits of --set": ("", ["seed=" + "9" * 5000], "no value of TOML"),
    "some digits": ("", ["seed=" + "9" * 300], r"found 99999999\.\.\. \(300 digits\)"),
    "wrong table": ("", ["sampling.learning_rate=0.1"], r"it belongs to \[optimizer\]"),
    "wrong table, of factors": ("", ["training.hidden=3"], r"it belongs to \[\[wavefunction\]\]"),
    "wrong table, at the top": ("omega = 2.0", [], r"it belongs to \[system\]"),
    "single brackets": ("", ["wavefunction={type='gaussian_rbm'}"], r"write \[\[wavefunction\]\]"),
    "double brackets": ("", ["system=[{type='quantum_dot'}]"], r"write \[system\]"),
    "a name": ("", ["name='-a b'"], "name: expected letters, digits, dots"),
    "a long value": ("", ["name='" + "/" * 4000 + "'"], "name: .* at most 100 characters"),
    "a type": ("", ["system.type='" + "y" * 4000 + "'"], "system.type: expected one of"),
    "a table": ("", ["seed={" + ", ".join(f"k{k} = {k}" for k in range(900)) + "}"], "a table"),
    "surrogate": ("", ["data.file='\udcff'"], "no Unicode|Unicode|unicode"),
}


@pytest.mark.parametrize("case", LINES)
def test_one_line(case):
    head, options, words = LINES[case]
    with pytest.raises(JobError, match=words) as error:
        parse_job(head + "\n" + JOB, options)
    assert "\n" not in str(error.value) and len(str(error.value)) < 500


def test_a_table_twice():
    text = JOB.replace("[[wavefunction]]", "[wavefunction]")
    with pytest.raises(JobError, match=r"write \[\[wavefunction\]\], in double brackets"):
        parse_job(text)


@pytest.mark.parametrize(
    ("setting", "kind", "key", "value"),
    [
        ("optimizer.learning_rate=0.1", "optimizer", "learning_rate", 0.1),
        ("optimizer.beta1=0.5", "optimizer", "beta1", 0.5),
        ("sampling.steps=7", "sampling", "steps", 7),
        ("run.threads=2", "run", "threads", 2),
    ],
)
def test_set_on_a_table_that_is_absent(setting, kind, key, value):
    text = JOB if kind != "optimizer" else JOB.replace("[optimizer]", "")
    assert dict(dict(parse_job(text, [setting]))[kind])[key] == value
    assert parse_job(
        text, ["optimizer.type='sgd'", "optimizer.learning_rate=0.1"]
    ).optimizer.type == ("sgd")


# mutations that know the structure of a job

ODD = [
    None, True, False, 0, -1, 1, 2**63, 10**30, 10**400, 1e300, -1e300, 1e-300, float("nan"),
    float("inf"), 0.5, "", "x", "\U0001f600", "\x00", "y" * 5000, [], {}, [[]], [1, "a"], [[1, 2]],
    {"a": {"b": 1}}, {"type": "adam"}, {"type": 3}, [[[[1]]]], [0] * 300, 100_000, 5000,
]  # fmt: skip


def places(value, path=()):
    yield path
    inner = value.items() if isinstance(value, dict) else ()
    inner = enumerate(value) if isinstance(value, list) else inner
    for key, x in inner:
        yield from places(x, (*path, key))


def mutated(data, rng):
    """One to three changes: another value, another key, a copy elsewhere, something left out."""
    for _ in range(rng.randint(1, 3)):
        path = rng.choice([p for p in places(data) if p])
        node = data
        for part in path[:-1]:
            node = node[part]
        way, key = rng.randrange(6), path[-1]
        if way <= 2:
            node[key] = copy.deepcopy(rng.choice(ODD))
        elif way == 3:
            del node[key]
        elif way == 4 and isinstance(node, dict):
            node[rng.choice(["typo", "type", "", "a.b", "\u00e9", *Job.model_fields])] = node.pop(
                key
            )
        elif isinstance(node, dict):
            node[rng.choice(list(Job.model_fields))] = copy.deepcopy(node[key])
        if not data:
            data["x"] = 1
    return data


def plain(value):
    """As tomllib gives it, without None."""
    if isinstance(value, dict):
        return {str(k): plain(v) for k, v in value.items() if v is not None}
    return [plain(v) for v in value if v is not None] if isinstance(value, list) else value


def sources():
    import tomllib

    texts = [JOB, *(p.read_text() for p in sorted(ROOT.rglob("jobs/*.toml")))]
    return [tomllib.loads(text) for text in texts if "start_from" not in text]


def tried(count, seed, folder, processes=0):
    """Mutated jobs read and built; every refusal one short line. The share that was accepted."""
    rng, path, accepted, jobs = random.Random(seed), folder / "job.toml", 0, sources()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for number in range(count):
        data = plain(mutated(copy.deepcopy(jobs[number % len(jobs)]), rng))
        try:
            path.write_bytes(tomli_w.dumps(data).encode())
        except (ValueError, TypeError):  # what TOML cannot say
            continue
        if number < processes:
            done = vmcnet("check", path, check=False)
            assert done.returncode in (0, 2) and "Traceback" not in done.stderr, path.read_text()
            continue
        try:
            build(load_job(path))
            accepted += 1
        except JobError as error:
            assert "\n" not in str(error) and 10 < len(str(error)) < 700, (error, path.read_text())
        except Exception as error:
            raise AssertionError(path.read_text()[:3000]) from error
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    assert grown < 500, f"{grown:.0f} MB"
    return accepted / count


def test_200_mutated_jobs(tmp_path):
    assert 0.02 < tried(200, 1, tmp_path) < 0.8


@pytest.mark.verify
def test_10000_mutated_jobs(tmp_path):
    assert 0.02 < tried(10_000, 2, tmp_path) < 0.8


@pytest.mark.verify
@pytest.mark.processes
def test_200_mutated_jobs_as_processes(tmp_path):
    tried(200, 3, tmp_path, processes=200)
