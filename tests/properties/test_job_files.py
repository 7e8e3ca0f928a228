"""Job files: what is written reads back as the same job; mutated ones (300, verify: 1000) are
understood or refused in one line, never met by a traceback.
"""

import random
import string

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.runs import JOB, ROOT, many
from vmcnet import cli
from vmcnet.config import Job, JobError, check_resume, job_text, load_job, parse_job
from vmcnet.config.job import changed_keys
from vmcnet.runs.building import build

positive = st.floats(1e-300, 1e300, exclude_min=True)
names = st.text(string.ascii_letters + string.digits + "_.-", min_size=1, max_size=30).filter(
    lambda s: s[0].isalnum()
)


def table(**keys):
    return st.fixed_dictionaries({}, optional=keys)


@st.composite
def jobs(draw):
    """A valid job as the dictionary that TOML gives."""
    block = draw(st.integers(1, 512))
    system = draw(
        st.one_of(
            st.fixed_dictionaries(
                {"type": st.just("quantum_dot")},
                optional={"omega": positive, "dimensions": st.integers(1, 3)},
            ),
            st.fixed_dictionaries(
                {"type": st.just("trapped_bosons"), "particles": st.integers(1, 10_000)},
                optional={"omega": positive},
            ),
        )
    )
    factors = draw(
        st.lists(
            st.one_of(
                st.fixed_dictionaries(
                    {"type": st.just("gaussian_rbm")},
                    optional={
                        "hidden": st.integers(1, 1000),
                        "form": st.sampled_from(["F", "sqrtF"]),
                    },
                ),
                st.fixed_dictionaries(
                    {"type": st.just("gaussian_envelope")}, optional={"alpha": positive}
                ),
                st.fixed_dictionaries(
                    {"type": st.just("pade_jastrow")}, optional={"beta": positive}
                ),
            ),
            min_size=1,
            max_size=4,
        )
    )
    return {
        "name": draw(names),
        "seed": draw(st.integers(0, 2**63 - 1)),
        "system": system,
        "wavefunction": factors,
        "sampling": {
            "block": block,
            "walkers": block * draw(st.integers(2, 1000)),
            **draw(table(steps=st.integers(1, 10**6), warmup=st.integers(0, 10**7))),
        },
        "training": draw(
            table(
                iterations=st.integers(0, 10**8),
                rollbacks=st.integers(0, 800),
                divergence=st.floats(0, 1e300),
            )
        ),
        "evaluation": draw(
            table(
                steps=st.one_of(st.just(0), st.integers(2, 10**8)), interval=st.integers(1, 10**6)
            )
        ),
        "run": draw(
            table(
                checkpoint_every=st.integers(1, 10**8),
                checkpoint_minutes=positive,
                wall_time=positive,
                watchdog_minutes=st.floats(0, 1e300),
            )
        ),
    }


@settings(max_examples=many(60, 150), deadline=None)
@given(jobs())
def test_the_resolved_text_reads_back_as_the_same_job(data):
    job = Job.model_validate(data)
    again = parse_job(job_text(job))
    assert again == job and job_text(again) == job_text(job) and changed_keys(job, again) == []
    check_resume(job, again, 0)


@settings(max_examples=many(40, 100), deadline=None)
@given(jobs(), positive, st.integers(1, 10**6))
def test_set_changes_the_key_that_it_names_and_no_other(data, omega, steps):
    job = parse_job(job_text(Job.model_validate(data)))
    new = parse_job(job_text(job), [f"system.omega={omega!r}", f"sampling.steps={steps}"])
    assert new.system.omega == omega and new.sampling.steps == steps
    assert set(changed_keys(job, new)) <= {"system.omega", "sampling.steps"}


VALUES = [
    "nan",
    "inf",
    "-inf",
    "-1",
    "0",
    "1e400",
    "1e-400",
    '""',
    "[]",
    "{}",
    "true",
    "1979-05-27",
    "99999999999999999999999999",
    "'\\u0000'",
    '"x"',
    "[[1]]",
    "0x1F",
    "1_000",
    "3.0",
    "-0.0",
    '"1"',
    "{a = 1}",
    "[1, 'a']",
    '"\\ud800"',
    '"' + "y" * 5000 + '"',
]


def mutated(text: str, rng: random.Random) -> bytes:
    """One to three random changes: of a value, a key, a line, a byte."""
    for _ in range(rng.randint(1, 3)):
        lines = text.split("\n")
        k = rng.randrange(len(lines))
        way = rng.randrange(9)
        if way <= 2:
            keys = [i for i, line in enumerate(lines) if "=" in line and not line.startswith("#")]
            if keys:
                k = rng.choice(keys)
                lines[k] = lines[k].split("=")[0] + "= " + rng.choice(VALUES)
        elif way == 3:
            del lines[k]
        elif way == 4:
            lines.insert(k, rng.choice(lines))
        elif way == 5:
            j = rng.randrange(len(lines))
            lines[k], lines[j] = lines[j], lines[k]
        elif way == 6:
            word = "".join(
                rng.choice(string.ascii_letters + " .=[]#\"'\\") for _ in range(rng.randint(0, 6))
            )
            at = rng.randint(0, len(lines[k]))
            lines[k] = lines[k][:at] + word + lines[k][at + rng.randint(0, 3) :]
        elif way == 7:
            lines = lines[:k]
        else:
            raw = bytearray("\n".join(lines).encode("utf-8", "surrogateescape"))
            if raw:
                raw[rng.randrange(len(raw))] ^= 1 << rng.randrange(8)
            text = raw.decode("utf-8", "surrogateescape")
            continue
        text = "\n".join(lines)
    return text.encode("utf-8", "surrogateescape")


def test_mutated_job_files(tmp_path, capsys):
    """Read and built as `run` does; what is refused is one line that names the file, with status 2
    at the command line.
    """
    rng, path, refused, accepted = random.Random(11), tmp_path / "job.toml", 0, 0
    sources = [JOB, *(p.read_text() for p in sorted((ROOT / "jobs").glob("*.toml")))]
    for number in range(count := many(300, 1000)):
        path.write_bytes(mutated(sources[number % len(sources)], rng))
        try:
            build(load_job(path))
            accepted += 1
        except JobError as error:
            assert "\n" not in str(error) and len(str(error)) > 10, path.read_bytes()
            refused += 1
            if refused % 10 == 0:
                with pytest.raises(SystemExit) as end:
                    cli.main(["run", str(path), "--output", str(tmp_path / "run.h5")])
                out, err = capsys.readouterr()
                assert (
                    end.value.code == 2
                    and out == ""
                    and err.startswith("vmcnet: ")
                    and err.count("\n") == 1
                ), err
    assert refused > count / 2 and accepted > count / 20 and not (tmp_path / "run.h5").exists()
