"""Jobs and files that cannot be used: one line that names the key or the file, exit status 2,
nothing overwritten.
"""

import h5py
import pytest

from tests.runs import JOB
from vmcnet import cli
from vmcnet.storage.sealed import write_sealed

BASE = JOB
SPINS = [
    "system={type='transverse_ising', extent=[6]}",
    "wavefunction=[{type='binary_rbm'}]",
    "sampling.proposal='spin_flip'",
]
CASES = {
    # broken text
    "not TOML": ("this is [not toml", [], "not valid TOML"),
    "a key twice": (BASE.replace("seed = 3", "seed = 3\nseed = 4"), [], "not valid TOML"),
    "not UTF-8": (b'name = "\xff"', [], "not UTF-8"),
    "empty": ("", [], "this key is required and absent"),
    # unknown keys, with the nearest known one
    "unknown table": (
        BASE + "\n[trainig]\niterations = 3\n",
        [],
        "trainig: unknown key; did you mean 'training'?",
    ),
    "unknown key of sampling": (
        BASE.replace("block = 8", "blok = 8"),
        [],
        "sampling.blok: unknown key; did you mean 'block'?",
    ),
    "unknown key of a system": (
        BASE.replace('type = "quantum_dot"', 'type = "quantum_dot"\nomga = 2.0'),
        [],
        "system.omga: unknown key; did you mean 'omega'?",
    ),
    "unknown key of a factor": (
        BASE.replace("hidden = 2", "hiden = 2"),
        [],
        "wavefunction.0.hiden: unknown key; did you mean 'hidden'?",
    ),
    "unknown key, nothing near": (BASE + "\n[zzzz]\n", [], "zzzz: unknown key; known keys: name"),
    # unknown variants
    "unknown system": (
        BASE.replace("quantum_dot", "quantum_dott"),
        [],
        "system.type: expected one of",
    ),
    "unknown wavefunction": (
        BASE.replace("gaussian_rbm", "gausian_rbm"),
        [],
        "did you mean 'gaussian_rbm'?",
    ),
    "unknown optimizer": (BASE + '\n[optimizer]\ntype = "adm"\n', [], "did you mean 'adam'?"),
    "system without type": (
        BASE.replace('type = "quantum_dot"', "particles = 2"),
        [],
        "system.type: this key is required and absent",
    ),
    # required keys
    "no seed": (BASE.replace("seed = 3", ""), [], "seed: this key is required and absent"),
    "no name": (BASE.replace('name = "small"', ""), [], "name: this key is required and absent"),
    "no system": (
        BASE.replace('[system]\ntype = "quantum_dot"', ""),
        [],
        "system: this key is required and absent",
    ),
    # wrong types
    "text for a number": (
        BASE,
        ["sampling.step_size='large'"],
        'sampling.step_size: expected a valid number, found "large"',
    ),
    "a number in quotes": (
        BASE,
        ["sampling.step_size='0.5'"],
        'sampling.step_size: expected a valid number, found "0.5"',
    ),
    "a boolean for a number": (
        BASE,
        ["sampling.step_size=true"],
        "sampling.step_size: expected a valid number, found true",
    ),
    "number for text": (BASE, ["name=5"], "name: expected a valid string, found 5"),
    "float for an integer": (
        BASE,
        ["sampling.walkers=64.0"],
        "sampling.walkers: expected a valid integer, found 64.0",
    ),
    "boolean for an integer": (
        BASE,
        ["training.iterations=true"],
        "training.iterations: expected a valid integer, found true",
    ),
    "text for an integer": (BASE, ["seed='3'"], "seed: expected a valid integer"),
    "a table for a number": (
        BASE,
        ["sampling.steps={a=1}"],
        "sampling.steps: expected a valid integer",
    ),
    "a number for a table": (BASE, ["training=3"], "training: expected a valid dictionary"),
    "a table for a list": (
        BASE.replace(
            '[[wavefunction]]\ntype = "gaussian_rbm"\nhidden = 2\n[[wavefunction]]\ntype = '
            '"pade_jastrow"',
            '[wavefunction]\ntype = "gaussian_rbm"',
        ),
        [],
        "wavefunction: expected a valid list",
    ),
    # impossible values
    "walkers no multiple of block": (
        BASE,
        ["sampling.walkers=63"],
        "walkers = 63 is no multiple of block = 8: use walkers = 64",
    ),
    "negative rate": (
        BASE + '\n[optimizer]\ntype = "adam"\nlearning_rate = -0.1\n',
        [],
        "optimizer.learning_rate: expected greater than 0, found -0.1",
    ),
    "beta of one": (
        BASE + '\n[optimizer]\ntype = "adam"\nbeta1 = 1.0\n',
        [],
        "optimizer.beta1: expected less than 1",
    ),
    "negative seed": (BASE, ["seed=-1"], "seed: expected greater than or equal to 0"),
    "seed too large": (BASE, ["seed=9223372036854775808"], "seed: expected less than"),
    "infinite step": (
        BASE,
        ["sampling.step_size=inf"],
        "sampling.step_size: expected a finite number",
    ),
    "nan": (BASE, ["sampling.step_size=nan"], "sampling.step_size"),
    "no steps": (BASE, ["sampling.steps=0"], "sampling.steps: expected greater than or equal to 1"),
    "negative iterations": (
        BASE,
        ["training.iterations=-5"],
        "training.iterations: expected greater than or equal to 0",
    ),
    "one measurement": (
        BASE,
        ["evaluation.steps=1"],
        "evaluation.steps: expected 0 (no evaluation) or at least 2",
    ),
    "five dimensions": (
        BASE,
        ["system.dimensions=5"],
        "system.dimensions: expected 1, 2 or 3, found 5",
    ),
    "bad name": (BASE, ["name='a/b'"], "name: "),
    "bad wall time": (
        BASE,
        ["run.wall_time='soon'"],
        "run.wall_time: expected seconds or 'HH:MM:SS'",
    ),
    "wall time zero": (BASE, ["run.wall_time=0"], "run.wall_time: expected a time above 0"),
    "no factor": (BASE, ["wavefunction=[]"], "wavefunction"),
    # parts that do not fit
    "Jastrow in one dimension": (
        BASE,
        ["system.dimensions=1", "system.interaction='none'"],
        "PadeJastrow in 1 dimension",
    ),
    "nothing decays": (
        BASE.replace('[[wavefunction]]\ntype = "gaussian_rbm"\nhidden = 2\n', ""),
        [],
        "no factor decays at large distance",
    ),
    "Jastrow of one particle": (
        BASE,
        ["system.particles=1"],
        "PadeJastrow needs at least 2 particles",
    ),
    "GPU for a sampler of the host": (
        BASE,
        [*SPINS, "sampling.proposal='gibbs'", "run.device='gpu'"],
        "run.device: on a lattice a GPU serves real binary_rbm",
    ),
    "GPU for complex machines": (
        BASE,
        [*SPINS, "wavefunction.0.weights='complex'", "run.device='gpu'"],
        "run.device: on a lattice a GPU serves real binary_rbm",
    ),
    "spins in float32": (
        BASE,
        [*SPINS, "run.precision='float32'"],
        "run.precision: the kernels of lattices are of float64",
    ),
    # --set
    "set without a value": (BASE, ["seed"], "--set seed: expected table.key=value"),
    "set without a key": (BASE, ["=4"], "expected table.key=value"),
    "set into a value": (BASE, ["seed.more=4"], "--set seed.more"),
    "set into a list": (
        BASE,
        ["wavefunction.hidden=4"],
        "name the factor by its number, wavefunction.0.hidden",
    ),
    "set beyond a list": (BASE, ["wavefunction.7.hidden=4"], "'7' is no entry of a list of 2"),
}


def call(capsys, *arguments):
    """Exit status, standard output, standard error of a command in this process."""
    with pytest.raises(SystemExit) as end:
        cli.main([str(a) for a in arguments])
    out, err = capsys.readouterr()
    return end.value.code, out, err


PRECIOUS = (b"vmcnet run file sha256 " + 64 * b"0").ljust(
    600, b"\0"
)  # what --overwrite may replace


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("command", ["run", "check"])
def test_malformed_job(tmp_path, capsys, case, command):
    text, settings, message = CASES[case]
    job, output = tmp_path / "job.toml", tmp_path / "run.h5"
    job.write_bytes(text if isinstance(text, bytes) else text.encode())
    output.write_bytes(PRECIOUS)
    arguments = [command, job, *(x for s in settings for x in ("--set", s))]
    code, out, err = call(
        capsys, *arguments, *(["--output", output, "--overwrite"] if command == "run" else [])
    )
    assert code == 2 and out == "" and err.startswith("vmcnet: ") and err.count("\n") == 1, err
    assert message in err, err
    assert output.read_bytes() == PRECIOUS and sorted(p.name for p in tmp_path.iterdir()) == [
        "job.toml",
        "run.h5",
    ]


@pytest.fixture
def job(tmp_path):
    (tmp_path / "job.toml").write_text(JOB)
    return tmp_path / "job.toml"


def refused(result, *words):
    code, out, err = result
    assert code == 2 and out == "" and err.count("\n") == 1 and err.startswith("vmcnet: "), err
    assert all(str(w) in err for w in words), err


def test_missing_files(tmp_path, capsys, job):
    refused(call(capsys, "run", tmp_path / "none.toml"), tmp_path / "none.toml", "No such file")
    refused(call(capsys, "run", tmp_path), tmp_path, "directory")
    for command in ("resume", "report", "evaluate"):
        refused(
            call(capsys, command, tmp_path / "none.h5"), tmp_path / "none.h5", "no such run file"
        )


def test_files_that_are_no_run_files(tmp_path, capsys, job):
    (tmp_path / "text.h5").write_text("hello")
    (tmp_path / "empty.h5").write_bytes(b"")
    h5py.File(tmp_path / "other.h5", "w").close()
    write_sealed(
        tmp_path / "later.h5", "run file", lambda file: file.attrs.update(schema=99, job="")
    )
    for name, word in (
        ("text", "damaged"),
        ("empty", "damaged"),
        ("other", "no run file of vmcnet"),
        ("later", "schema 99"),
    ):
        before = (tmp_path / f"{name}.h5").read_bytes()
        for command in ("resume", "report", "evaluate"):
            refused(call(capsys, command, tmp_path / f"{name}.h5"), f"{name}.h5", word)
        refused(
            call(capsys, "run", job, "--output", tmp_path / f"{name}.h5"),
            f"{name}.h5",
            "--overwrite replaces it",
        )
        assert (tmp_path / f"{name}.h5").read_bytes() == before


@pytest.mark.processes
def test_existing_output_and_contradictions(tmp_path, capsys, job):
    output = tmp_path / "run.h5"
    assert call(capsys, "run", job, "--output", output)[0] == 0
    before = {p: p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()}
    refused(call(capsys, "run", job, "--output", output), output, "--overwrite", "--continue")
    refused(
        call(capsys, "run", job, "--output", output, "--overwrite", "--continue"),
        "exclude each other",
    )
    refused(
        call(capsys, "run", job, "--output", output, "--continue", "--set", "seed=4"),
        "seed may not change at resume",
    )
    for key, value in (
        ("sampling.walkers", 128),
        ("system.omega", 2.0),
        ("optimizer.learning_rate", 0.5),
        ("wavefunction.0.hidden", 3),
        ("run.threads", 2),
    ):
        refused(
            call(capsys, "resume", output, "--set", f"{key}={value}"),
            f"{key} may not change at resume",
        )
    refused(
        call(capsys, "resume", output, "--set", "training.iterations=3"),
        "training.iterations = 3 is below the 12 iterations already done",
    )
    refused(call(capsys, "resume", output, "--set", "nonsense=3"), "nonsense: unknown key")
    for option, least in (("--steps", 2), ("--interval", 1), ("--warmup", 0)):
        refused(
            call(capsys, "evaluate", output, option, least - 1),
            f"{option} {least - 1}: expected at least {least}",
        )
    assert {p: p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()} == before


def test_places_that_cannot_be_written(tmp_path, capsys, job):
    (tmp_path / "file").write_text("")
    refused(
        call(capsys, "run", job, "--output", tmp_path / "file" / "run.h5"),
        tmp_path / "file",
        "choose another --output",
    )
    (tmp_path / "folder.h5").mkdir()
    refused(call(capsys, "run", job, "--output", tmp_path / "folder.h5"), tmp_path / "folder.h5")
    refused(
        call(capsys, "run", job, "--output", tmp_path / "folder.h5", "--overwrite"),
        tmp_path / "folder.h5",
    )


def test_wrong_command_lines(capsys):
    for arguments in (
        [],
        ["fly"],
        ["run"],
        ["evaluate", "x.h5", "--steps", "many"],
        ["run", "a.toml", "--outptu", "b"],
        ["check"],
    ):
        code, out, err = call(capsys, *arguments)
        assert code == 2 and out == "" and "Traceback" not in err and err
