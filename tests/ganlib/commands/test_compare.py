"""ganlib compare."""

import csv
import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from click.testing import Result

from ganlib.common.errors import UserError

Run = Callable[..., Result]
ORDER = "\x1b]0;x\x07\x9b"  # a terminal would change its title
FILES = ["compare.csv", "compare.html", "compare.json", "compare.md"]


def make(algorithm: str, seed: int, values: list[float], key: str = "aa", n: int = 10) -> Path:
    """A finished run below result/, scored every 100 iterations."""
    folder = Path("result") / f"{algorithm}_toy" / f"seed{seed}"
    folder.mkdir(parents=True)
    settings = {"algorithm": algorithm, "dataset": "toy", "seed": seed, "gpu": -1}
    (folder / "config.yaml").write_text(yaml.safe_dump(settings))
    line = {"iteration": 100, "images": 6400, "seconds": 3600.0, "images_per_second": 64.0}
    (folder / "log.jsonl").write_text(json.dumps(line) + "\n")
    with (folder / "scores.jsonl").open("w") as file:
        for i, value in enumerate(values, 1):
            score = {"value": value, "std": None, "hash": key, "protocol": {"n_generated": n}}
            file.write(json.dumps({"iteration": 100 * i, "scores": {"FD": score}}) + "\n")
    (folder / "DONE").touch()
    return folder


def words(output: str, first: str) -> list[str]:
    (line,) = [line for line in output.splitlines() if line.split()[:1] == [first]]
    return line.split()


def test_what_a_grid_swept_has_columns(run: Run) -> None:
    for algorithm, lam, seed, value in [
        ("wgan_gp", 1.0, 0, 5.0),
        ("wgan_gp", 10.0, 0, 3.0),
        ("wgan_gp", 10.0, 1, 4.0),
        ("dcgan", None, 0, 8.0),
    ]:
        folder = make(algorithm, seed, [value])
        config = yaml.safe_load((folder / "config.yaml").read_text())
        config |= {"n_dis": round(value), "lam": lam} if lam else {}
        (folder / "config.yaml").write_text(yaml.safe_dump(config))
        if lam:
            folder.rename(Path("result", f"{algorithm}_lam={lam}_seed{seed}"))
    Path("result/grid.yaml").write_text("{threads: 1, swept: [lam], runs: {}}")
    done = run("compare")
    assert "lam" in words(done.output, "algorithm")
    rows = [line.split() for line in done.output.splitlines() if "n_dis" in line]
    assert [row[:2] + row[-5:-3] for row in rows] == [
        ["wgan_gp", "(n_dis=3)", "10.0", "1"],
        ["wgan_gp", "(n_dis=4)", "10.0", "1"],
        ["wgan_gp", "(n_dis=5)", "1.0", "1"],
    ]
    assert words(done.output, "dcgan")[2:4] == ["–", "1"]
    with Path("result/compare.csv").open() as file:
        assert [row["lam"] for row in csv.DictReader(file)] == ["10.0", "10.0", "1.0", "–"]
    page = Path("result/compare.html").read_text("utf-8")
    assert re.search(r'<th scope="col">\s*lam</th>', page)
    assert len(re.findall(r'<td class="cost">10.0</td>', page)) == 2
    assert "| lam |" in Path("result/compare.md").read_text("utf-8")


@pytest.mark.parametrize("plan", ["", "[", "{swept: 3}", "{swept: [[1]]}", "&a [*a]"])
def test_a_damaged_plan_has_no_columns(plan: str, run: Run) -> None:
    make("dcgan", 0, [5.0]).rename("result/dcgan")
    Path("result/grid.yaml").write_text(plan)
    done = run("compare")
    assert words(done.output, "algorithm")[1:4] == ["FD", "↓", "n"]


def test_it_prints_the_table_and_writes_four_files(run: Run) -> None:
    make("dcgan", 0, [9.0, 5.0])
    make("dcgan", 1, [9.0, 6.0])
    make("sngan", 0, [2.0, 3.0])
    done = run("compare")
    assert done.exit_code == 0, done.output
    assert words(done.output, "sngan") == ["sngan", "3.00", "*", "1", "200", "64", "1.0"]
    assert words(done.output, "dcgan") == "dcgan 5.50 ± 0.71 2 200 64 1.0".split()
    assert "CPU-hours per run" in done.output and "FD ↓" in done.output
    assert done.output.rstrip().endswith("Page: result/compare.html")
    assert sorted(p.name for p in Path("result").iterdir() if p.is_file()) == FILES
    with Path("result/compare.csv").open() as file:
        assert [row["FD"] for row in csv.DictReader(file)] == ["3.0", "5.5"]
    assert "**3.00**" in Path("result/compare.md").read_text("utf-8")
    assert len(json.loads(Path("result/compare.json").read_text("utf-8"))["tables"]) == 1
    assert run("compare").output == done.output


def test_tables_for_papers_go_to_standard_output_alone(run: Run) -> None:
    make("dc_gan", 0, [5.0])
    make("sngan", 0, [3.0])
    rows = {
        "markdown": "| sngan | **3.00** | 1 |",
        "latex": r"dc\_gan & 5.00 & 1 &",
        "csv": "toy,dc_gan,,yes,0,5.0,",
    }
    for name, row in rows.items():
        done = run("compare", "--format", name)
        assert done.exit_code == 0 and row in done.stdout and "Page" not in done.output
    error = run("compare", "--format", "csv", "--out", "x").exception
    assert isinstance(error, UserError) and "leave --out out" in str(error)
    assert not [path for path in Path("result").iterdir() if path.is_file()]


def test_folders_out_and_best(run: Run) -> None:
    one, two = make("dcgan", 0, [2.0, 5.0]), make("sngan", 0, [1.0, 3.0])
    done = run("compare", one, two, "--best", "--out", "new/place")
    assert words(done.output, "sngan")[1:5] == ["1.00", "*", "1", "100"]
    assert "best evaluation by FD" in done.output
    assert sorted(p.name for p in Path("new/place").iterdir()) == FILES
    assert not list(one.glob("compare.*"))
    run("compare", one)
    assert sorted(p.name for p in one.glob("compare.*")) == FILES


def test_all_that_lies_in_a_folder_of_runs_may_be_named(run: Run) -> None:
    folder = make("dcgan", 0, [2.0]).parent
    (folder / "grid.yaml").touch()
    run("compare", folder)
    every = sorted(folder.iterdir())
    assert len(every) == 6
    assert words(run("compare", *every).output, "dcgan")[1] == "2.00"
    assert "There is no folder" in str(run("compare", folder / "compare.csv").exception)


def test_different_protocols_are_refused_or_split(run: Run) -> None:
    make("dcgan", 0, [5.0])
    make("sngan", 0, [3.0], key="bb", n=50)
    error = run("compare").exception
    assert isinstance(error, UserError) and "n_generated: 10 against 50" in str(error)
    assert not Path("result/compare.md").exists()
    done = run("compare", "--split")
    assert "FD (n_generated: 10) ↓" in done.output and "FD (n_generated: 50) ↓" in done.output


def test_markup_in_names_is_only_text(run: Run) -> None:
    make("[red]dcgan", 0, [5.0])
    assert "[red]dcgan" in run("compare").output


def test_no_terminal_is_given_orders(run: Run) -> None:
    odd = {"algorithm": f"dc{ORDER}gan", "dataset": f"to{ORDER}y"}
    for name, lr in (("first", f"{ORDER}1"), ("second", "2"), ("third", "2")):  # which repeats it
        folder = make(name, 0, [5.0])
        settings = yaml.safe_load((folder / "config.yaml").read_text()) | odd | {"lr": lr}
        (folder / "config.yaml").write_text(yaml.safe_dump(settings))
        line = json.loads((folder / "scores.jsonl").read_text())
        line["scores"][f"IS{ORDER}"] = line["scores"]["FD"]
        (folder / "scores.jsonl").write_text(json.dumps(line) + "\n")
        folder.parent.rename(f"result/{name}{ORDER}")
    out = Path(f"result/{ORDER}")
    done = run("compare", "--out", out)
    assert done.exit_code == 0, done.exception
    assert "dc\\x1b]0;x\\x07\\x9bgan" in done.output and "is left out" in done.output
    texts = [done.output, *((out / name).read_text("utf-8") for name in FILES)]
    for text in texts:
        assert not {"\x1b", "\x07", "\x9b"} & set(text)


def test_text_that_no_file_can_hold(run: Run) -> None:
    folder = make("dcgan", 0, [5.0])
    line = json.loads((folder / "scores.jsonl").read_text())
    line["scores"]["FD"]["protocol"]["\ud800"] = "\ud800"
    (folder / "scores.jsonl").write_text(json.dumps(line) + "\n")
    assert run("compare").exit_code == 0
    (column,) = json.loads(Path("result/compare.json").read_text("utf-8"))["tables"][0]["columns"]
    assert column["protocol"]["\ud800"] == "\ud800"


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ((), "There is no folder result"),
        (("empty",), "There is no run in empty"),
        (("x" * 300,), "x" * 300),
        (("one", "--out", "x" * 300), "File name too long"),
        (("one", "--out", "file"), "--out file is a file; give a folder."),
    ],
)
def test_bad_input_is_one_sentence(arguments: tuple[str, ...], sentence: str, run: Run) -> None:
    Path("empty").mkdir()
    Path("file").touch()
    Path("one").mkdir()
    Path("one/config.yaml").write_text("algorithm: dcgan\ndataset: toy\n")
    error = run("compare", *arguments).exception
    assert isinstance(error, UserError) and sentence in str(error)


def test_it_needs_no_torch(run: Run) -> None:
    make("dcgan", 0, [5.0])
    code = "import sys; sys.argv = ['ganlib', 'compare']\n"
    code += "from ganlib.__main__ import main\ntry: main()\nexcept SystemExit: pass\n"
    code += "sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True).returncode == 0
    assert Path("result/compare.html").exists()


def test_columns_and_trials(run: Run) -> None:
    folder = make("dcgan", 0, [5.0])
    tried = {"value": 1.25, "std": None, "hash": "zz", "protocol": {"n_generated": 7}}
    line = json.dumps({"iteration": 100, "scores": {"FD": tried, "IS": tried}})
    (folder / "trials.jsonl").write_text(line + "\n")
    assert "1.25" not in run("compare").output
    done = run("compare", "--trials")
    assert "FD (n_generated: 7) ↓" in done.output and "IS ↑" in done.output
    assert "FD" not in run("compare", "--trials", "--columns", "is").output
    error = run("compare", "--columns", "IS").exception
    assert isinstance(error, UserError) and str(error) == "No run has a score 'IS'. There are: FD."
    error = run("compare", "--columns", " , ").exception
    assert isinstance(error, UserError) and "--columns is empty" in str(error)


def test_a_file_of_scores_is_a_row(run: Run) -> None:
    make("dcgan", 0, [5.0])
    score = {"value": 3.0, "std": None, "hash": "aa", "protocol": {"n_generated": 10}}
    Path("x.json").write_text(
        json.dumps({"target": "x", "dataset": "toy", "scores": {"FD": score}})
    )
    done = run("compare", "result", "x.json")
    assert words(done.output, "x.json")[1:3] == ["3.00", "*"]
    assert done.output.rstrip().endswith("Page: result/compare.html")
    assert run("compare", "x.json", "result").output == done.output
    assert run("compare", "x.json").output.rstrip().endswith("Page: compare.html")


def test_a_piped_table_is_as_wide_as_it_has_to_be(run: Run) -> None:
    folder = make("dcgan", 0, [5.0])
    names = [f"FD-of-the-extractor-number-{i}-train" for i in range(31)]
    score = {"value": 1.5, "std": None, "hash": "aa", "protocol": {}}
    line = {"iteration": 100, "scores": dict.fromkeys(names, score)}
    (folder / "scores.jsonl").write_text(json.dumps(line) + "\n")
    head = next(line for line in run("compare").output.splitlines() if "algorithm" in line)
    assert re.split(" {2,}", head.strip())[:32] == ["algorithm", *(f"{n} ↓" for n in names)]
