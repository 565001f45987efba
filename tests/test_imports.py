"""What importing the modules of the project does: nothing but define."""

import json
import subprocess
import sys

from xmlib import paths

# Other people's packages come first and are not judged: everything that the project's modules import from elsewhere is
# imported before the hooks listen. What is noted afterwards is the project's own.
IMPORT = """
import ast, contextlib, gc, importlib, json, logging, os, random, sys, threading
gc.disable()  # which halves the time
from pathlib import Path
logging.getLogger("matplotlib.font_manager").setLevel(logging.ERROR)  # which may fill its cache
root, modules = Path(sys.argv[1]), json.loads(sys.argv[2])

def outside(name):
    tree = ast.parse((root / name.replace(".", "/")).with_suffix(".py").read_text(encoding="utf-8"))
    for node in tree.body:
        names = [one.name for one in node.names] if isinstance(node, ast.Import) else []
        if isinstance(node, ast.ImportFrom) and not node.level:  # what is imported from a package may be a module
            names += [node.module, *(f"{node.module}.{one.name}" for one in node.names)]
        yield from (one for one in names if one.split(".")[0] not in ("xmlib", "book", "benchmarks", "scripts"))

for name in sorted({wanted for module in modules for wanted in outside(module)}):
    with contextlib.suppress(ImportError):
        importlib.import_module(name)

import numpy, torch
CHANGES = {"os.mkdir", "os.remove", "os.rename", "os.rmdir", "os.chmod", "os.truncate", "os.link", "os.symlink",
           "os.putenv", "os.unsetenv", "os.chdir", "shutil.rmtree", "shutil.copyfile", "shutil.move",
           "tempfile.mkstemp", "tempfile.mkdtemp"}
STARTS = {"subprocess.Popen", "os.system", "os.exec", "os.fork", "os.forkpty", "os.posix_spawn", "os.startfile",
          "pty.spawn"}
seen, now = [], "before"

def writes(about):
    flags = about[2] if isinstance(about[2], int) else 0
    return bool(flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND))

def hook(event, about):
    if event == "open" and writes(about) and "__pycache__" not in str(about[0]):
        seen.append([now, "opens a file to write", str(about[0])])
    elif event in CHANGES | STARTS or event.startswith("socket."):
        seen.append([now, event, repr(about)[:200]])

def state():
    return [torch.get_num_threads(), torch.get_num_interop_threads(), torch.get_default_dtype(),
            torch.are_deterministic_algorithms_enabled(), torch.get_rng_state().tolist(), random.getstate(),
            repr(numpy.random.get_state()), numpy.geterr(), dict(os.environ), os.getcwd(), threading.active_count()]

before = state()
sys.addaudithook(hook)
for now in modules:
    importlib.import_module(now)
    if state() != before:
        seen.append([now, "changes", "threads, random state, number type, environment or folder"])
        before = state()
print(json.dumps(seen))
"""

HEAD = "import os, random, socket, subprocess, sys, threading\n"
DO_MORE = {
    "writes": "open('left.txt', 'w').close()",
    "makes_a_folder": "os.mkdir('left')",
    "starts_a_process": "subprocess.run([sys.executable, '-c', ''])",
    "opens_a_socket": "socket.socket().close()",
    "starts_a_thread": "threading.Thread(target=threading.Event().wait, daemon=True).start()",
    "draws": "random.random()",
    "draws_in_torch": "import torch; torch.rand(1)",
    "sets_threads": "import torch; torch.set_num_threads(torch.get_num_threads() + 1)",
    "sets_the_environment": "os.environ['LEFT'] = '1'",
}


def modules() -> list[str]:
    """Every module of the project but those that are run as a command, which importing would start."""
    files = [
        file for folder in ("xmlib", "book", "benchmarks", "scripts") for file in (paths.ROOT / folder).rglob("*.py")
    ]
    names = [file.relative_to(paths.ROOT).with_suffix("").as_posix().replace("/", ".") for file in sorted(files)]
    return [name for name in names if not name.endswith(("__main__", "__init__"))]


def noted(names: list[str], root) -> tuple[list, str, str]:
    """What the modules did when they were imported, each with its name; what they printed; what they said on stderr."""
    command = [sys.executable, "-c", IMPORT, str(root), json.dumps(names)]
    run = subprocess.run(command, capture_output=True, text=True, cwd=root)
    assert run.returncode == 0, run.stderr
    *printed, told = run.stdout.splitlines()
    return json.loads(told), "\n".join(printed), run.stderr


def test_importing_a_module_does_nothing_but_define():
    assert noted(modules(), paths.ROOT) == ([], "", "")


def test_modules_that_do_more_are_noticed_by_name(tmp_path):
    for name, line in DO_MORE.items():
        (tmp_path / f"{name}.py").write_text(HEAD + line)
    (tmp_path / "says.py").write_text("import sys\nprint('out')\nprint('err', file=sys.stderr)")
    seen, printed, said = noted([*DO_MORE, "says"], tmp_path)
    assert {name for name, *_ in seen} == set(DO_MORE)
    assert (printed, said) == ("out", "err\n")
