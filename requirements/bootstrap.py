"""Make .venv from the locks with nothing but Python; `make` calls it. Runs on any Python 3 to say what is missing."""  # noqa: E501

import os
import subprocess
import sys

OLDEST, NEWEST = (3, 11), (3, 13)
ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
VENV = os.path.join(ROOT, ".venv")
PYTHON = os.path.join(VENV, "bin", "python")
SAME = "import sys; sys.exit(list(sys.version_info[:2]) != [int(a) for a in sys.argv[1:]])"
PACKAGES = "import sysconfig; print(sysconfig.get_path('purelib'))"


def stop(message):
    """End with one readable message."""
    sys.stderr.write(f"\nerror: {message}\n\n")
    sys.exit(1)


def check():
    """Refuse a Python that cannot do it, and say which could."""
    major, minor = sys.version_info[:2]
    if not OLDEST <= (major, minor) <= NEWEST:
        stop(f"this is Python {major}.{minor} ({sys.executable}); the compendium needs 3.11, 3.12 or 3.13.\n"
             "Name one:  make book PYTHON=python3.12")
    try:
        import ensurepip  # noqa: F401
        import venv  # noqa: F401
    except ImportError:
        stop(f"this Python ({sys.executable}) has no venv module with pip.\n"
             "On Debian or Ubuntu:  apt-get install python3-venv")


def run(*command):
    """Run a command in the repository; stop with what it was doing if it fails."""
    if subprocess.call(command, cwd=ROOT):
        stop("this step failed: " + " ".join(command) + "\nThe reason is above; run make again to go on.")


def usable():
    """Tell whether .venv is there and of this Python's version."""
    if not os.path.exists(PYTHON):
        return False
    numbers = map(str, sys.version_info[:2])
    return subprocess.call([PYTHON, "-c", SAME, *numbers], stderr=subprocess.DEVNULL) == 0


def main():
    """Create the environment, install uv, install the lock, make `lib` importable."""
    check()
    if not usable():
        run(sys.executable, "-m", "venv", "--clear", VENV)
    print("installing the locked environment into .venv (about 6 GB the first time)", flush=True)
    run(PYTHON, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--require-hashes",
        "-r", "requirements/uv.txt")
    run(os.path.join(VENV, "bin", "uv"), "pip", "install", "--quiet", "--python", PYTHON, "--require-hashes",
        "-r", "requirements/lock.txt")
    packages = subprocess.check_output([PYTHON, "-c", PACKAGES]).decode().strip()
    with open(os.path.join(packages, "precursor_compendium.pth"), "w", encoding="utf-8") as file:
        file.write(ROOT + "\n")          # `import lib` works from any folder


if __name__ == "__main__":
    main()
