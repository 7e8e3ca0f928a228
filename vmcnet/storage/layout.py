"""What a run file holds: every attribute and dataset with shape, unit and meaning.

The only list of it: written to the datasets as attributes, and the source of docs/run-file.md.
"""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase


@dataclass(frozen=True)
class Dataset:
    """name: a path, with * for what differs; shape: letters of the page; unit: energy, length or
    a word of its own, "" for pure numbers.
    """

    name: str
    shape: str
    unit: str
    meaning: str


ATTRIBUTES = (
    ("run", "a random name that the checkpoints of this run carry too"),
    ("schema", "version of this layout"),
    ("vmcnet", "version of the program"),
    ("job", "the job as TOML, every key written out"),
    ("seed", "seed of all random numbers"),
    ("ranks", "MPI ranks of the last start"),
    ("host", "name of the machine that began it"),
    ("git", 'revision of the source, "" without git'),
    ("units", "what energies are measured in"),
    ("started", "when it began"),
    ("resumed", "when it was started last, where it was resumed"),
    ("written", "when this file was last written"),
    ("state", "running, stopped (vmcnet resume goes on) or done"),
    ("phase", "what a running one does: warmup, training or evaluation, done/in all"),
    ("data", 'SHA-256 of the samples of a likelihood, "" without'),
    ("mixed", "in what the processors of other ranks differed from rank 0's"),
    (
        "start_digest",
        "SHA-256 of the run file training.start_from, or of the arrays of start= in Python",
    ),
    ("start_taken", "parameters taken from it, joined by commas"),
    ("parameter_units", "natural unit of every parameter in this system, as JSON"),
    ("about", "system and wavefunction as reports name them, as JSON"),
    ("sources", 'SHA-256 of every module of classes of a user, as JSON; "" without'),
    ("condition_*", "what bits depend on besides the job: processor, versions, BLAS, threads"),
)
OF_EVALUATIONS = (
    ("iteration", "training iterations behind the parameters"),
    ("steps", "measurements, with a target error their limit"),
    ("interval", "Metropolis steps between two of them"),
    ("warmup", "measurements of equilibration before the first"),
    ("target_error", "error of the energy at which it was to end before; 0: none"),
    ("names", "energy and terms, in the order of walker_mean"),
    ("observables", "names of the observables, joined by commas"),
    ("units", "units of the observables, as JSON"),
    ("asked", "of every [[observable]] table the first digits of its SHA-256, joined by commas"),
    ("tried", "moves that every walker tried while measuring"),
    ("centre", "the local energies' median, about which the tail is counted"),
    ("singular", "Pareto shape of E_L where it diverges, 0: nowhere, NaN: the tail is not suspect"),
)
DATASETS = (
    Dataset("training/energy", "T", "energy", "mean local energy of all walkers"),
    Dataset("training/error", "T", "energy", "sqrt(variance / walkers)"),
    Dataset("training/variance", "T", "energy^2", "variance of the local energy"),
    Dataset("training/terms/*", "T", "energy", "mean of one term of the Hamiltonian"),
    Dataset("training/acceptance", "T", "", "share of moves that were accepted"),
    Dataset("training/exchange_acceptance", "T", "", "share of exchanges of labels accepted"),
    Dataset("training/stuck", "T", "", "walkers that accepted no move"),
    Dataset("training/step_size", "T", "length", "size of proposed moves"),
    Dataset("training/gradient_norm", "T", "energy", "Euclidean norm of the gradient"),
    Dataset("training/learning_rate", "T", "", "learning rate with schedule and rollbacks"),
    Dataset("training/step_norm", "T", "", "Euclidean norm of the change of theta"),
    Dataset("training/direction_norm", "T", "", "norm of the natural gradient"),
    Dataset("training/shift_factor", "T", "", "decay of the shift of its metric"),
    Dataset("training/solver_products", "T", "", "products that conjugate gradients took"),
    Dataset("training/solver_residual", "T", "", "what they left of the right-hand side"),
    Dataset("training/seconds", "T", "s", "time of the iteration on rank 0"),
    Dataset("training/communication", "T", "s", "share of it in MPI calls, waiting included"),
    Dataset("rollbacks/reached", "R", "", "iteration at which training went back"),
    Dataset("rollbacks/back_to", "R", "", "iteration that it went back to"),
    Dataset("rollbacks/scale", "R", "", "factor of all steps since then"),
    Dataset("parameters/theta", "P", "", "the real vector that is trained"),
    Dataset("parameters/*", "any", "", "a parameter by name, as log_psi sees it"),
    Dataset("evaluation/*/energy", "M", "energy", "mean over walkers of a measurement"),
    Dataset("evaluation/*/variance", "M", "energy^2", "variance over walkers"),
    Dataset("evaluation/*/terms/*", "M", "energy", "mean over walkers of a term"),
    Dataset("evaluation/*/acceptance", "M", "", "share of moves accepted since the last one"),
    Dataset("evaluation/*/exchange_acceptance", "M", "", "the same of exchanges of labels"),
    Dataset(
        "evaluation/*/walker_mean",
        "2, 1 + terms, W",
        "energy",
        "mean of every walker over either half of the measurements, energy first",
    ),
    Dataset("evaluation/*/walker_m2", "2, 1 + terms, W", "energy^2", "sum of squares about it"),
    Dataset("evaluation/*/walker_acceptance", "W", "", "share of moves a walker accepted"),
    Dataset("evaluation/*/tail/bin", "B", "", "bins of |E_L - centre| that hold something"),
    Dataset("evaluation/*/tail/count", "B", "", "local energies in them; 32 bins a power of 2"),
    Dataset("evaluation/*/blocking/sizes", "L", "", "block sizes, in measurements"),
    Dataset("evaluation/*/blocking/counts", "L", "", "blocks of that size"),
    Dataset("evaluation/*/blocking/errors", "L", "energy", "error of the mean from them"),
    Dataset("evaluation/*/blocking/error_errors", "L", "energy", "error of that error"),
    Dataset("evaluation/*/observables/*/labels", "K", "", "names of its components"),
    Dataset("evaluation/*/observables/*/shown", "any", "", "components that reports print"),
    Dataset("evaluation/*/observables/*/series", "M, K", "own", "mean over walkers"),
    Dataset("evaluation/*/observables/*/mean", "2, K, G", "own", "as walker_mean, by groups"),
    Dataset("evaluation/*/observables/*/m2", "2, K, G", "own^2", "as walker_m2, by groups"),
    Dataset("evaluation/*/observables/*/derived", "D, 2", "own", "derived values and errors"),
    Dataset("evaluation/*/observables/*/derived_labels", "D", "", "names of them"),
    Dataset("evaluation/*/observables/*/grid/*", "any", "own", "where components lie"),
)
LETTERS = {
    "T": "training iterations",
    "R": "rollbacks",
    "P": "parameters, real numbers",
    "M": "measurements",
    "W": "walkers",
    "G": "walkers, or groups of them where there are many numbers",
    "K": "components of an observable",
    "D": "derived quantities",
    "B": "bins that are not empty",
    "L": "levels of blocking",
}


def entry_of(name: str) -> Dataset | None:
    """The entry of a dataset by its path; a name without * goes first, then the longest pattern."""
    fitting = [e for e in DATASETS if fnmatchcase(name, e.name)]
    fitting = [e for e in fitting if e.name.count("/") == name.count("/")] or fitting
    return min(fitting, key=lambda e: (e.name.count("*"), -len(e.name)), default=None)


def page() -> str:
    """docs/run-file.md."""
    out = [
        "# What a run file holds",
        "",
        "Generated by `make reference` from `vmcnet/storage/layout.py`; do not edit.",
        "",
        "A run file is HDF5 behind a block of 512 bytes with its SHA-256; any HDF5 program opens",
        "it, while the run goes on too. Every dataset carries its `unit` and `meaning` as",
        "attributes. From Python `vmc.open_run(path)` gives the same with names; with h5py alone:",
        "",
        *EXAMPLE,
        "",
        "## Attributes of the file",
        "",
        "| attribute | meaning |",
        "|---|---|",
        *(f"| `{name}` | {meaning} |" for name, meaning in ATTRIBUTES),
        "",
        "## Datasets",
        "",
        "Shapes: " + "; ".join(f"{k} {v}" for k, v in LETTERS.items()) + ". `energy` stands for",
        "the unit that the attribute `units` names, `length` for the system's unit of length,",
        "`own` for the unit of an observable. `*` stands for a name or a number.",
        "",
        "| dataset | shape | unit | meaning |",
        "|---|---|---|---|",
        *(f"| `{e.name}` | {e.shape} | {e.unit or '1'} | {e.meaning} |" for e in DATASETS),
        "",
        "## Attributes of `evaluation/*`",
        "",
        "| attribute | meaning |",
        "|---|---|",
        *(f"| `{name}` | {meaning} |" for name, meaning in OF_EVALUATIONS),
        "",
        "A file of schema 1 written by an older version may lack what was added since; everything",
        "in it is read. A parameter under `parameters/` is the value that log psi uses (a positive",
        "one as itself, not as its logarithm); `theta` holds the numbers that the optimizer moves.",
    ]
    return "\n".join(out) + "\n"


EXAMPLE = """```python
import h5py
import numpy as np

with h5py.File("runs/quantum_dot_2.h5") as file:
    print(file.attrs["state"], file.attrs["units"])
    print(file["training/energy"][-1], file["training/energy"].attrs["meaning"])
    group = file["evaluation/0"]
    steps = len(group["energy"])
    half = steps // 2
    first, second = group["walker_mean"][:, 0]          # of every walker, in both halves
    mean = (half * first + (steps - half) * second) / steps
    print("energy", mean.mean(), "+-", np.sqrt(mean.var(ddof=1) / len(mean)))
```""".splitlines()
