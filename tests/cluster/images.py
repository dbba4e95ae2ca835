"""The images of the tests, made of what is on this machine: no engine, no registry.

``busybox`` is a shell and nothing else, also what holds a pod's namespaces. The step image is
this interpreter, the shared libraries it links to, a shell, and the packages of the environment
that runs the tests, in exactly these versions; ``s3`` is the S3 server for a pod. kfnb itself is a layer of its own: packed again
in a moment when it changes, while the large one below stays.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from packaging.requirements import Requirement

from tests.cluster import binaries
from tests.cluster.archive import Layer, assemble, pack
from tests.cluster.layout import ARCHITECTURE, CACHE, CHECKOUT
from tests.cluster.machine import need

Say = Callable[[str], None]
FOLDER = CACHE / "images"
PYTHON = f"python{sys.version_info[0]}.{sys.version_info[1]}"
PACKAGES = f"usr/local/lib/{PYTHON}/site-packages"
CARRIED = ("kfnb[s3]", "kubernetes", "numpy", "pip")
"""What the step image has besides Python, with everything that these require."""
NOT_CARRIED = (
    *("site-packages", "test", "tests", "idlelib", "tkinter", "ensurepip", "turtledemo"),
    *("lib2to3", "config-*", "__pycache__", "dist-packages"),
)
LOADED_LATE = ("libnss_files.so.2", "libnss_dns.so.2", "libresolv.so.2", "libgcc_s.so.1")
"""Libraries that are opened at run time, which ldd does not tell."""
USER = 1000
PEOPLE = f"root:x:0:0:root:/root:/bin/sh\nkfnb:x:{USER}:{USER}::/home/kfnb:/bin/sh\n"
GROUPS = f"root:x:0:\nkfnb:x:{USER}:\n"
SERVE_S3 = """cd /data && mkdir -p objects metadata \
&& exec versitygw --port :9000 posix --sidecar /data/metadata /data/objects"""
FOREVER = ("sleep", "2147483647")
KEPT = 3
"""So many of each image and of each layer, so that a few checkouts do not undo each other's."""


@dataclass(frozen=True)
class Image:
    """An image archive; its name is keyed by content, so a name never changes its meaning."""

    name: str
    archive: Path


@dataclass(frozen=True)
class Images:
    busybox: Image
    step: Image
    s3: Image

    def __iter__(self) -> Iterator[Image]:
        return iter((self.busybox, self.step, self.s3))


def ensure(say: Say) -> Images:
    """Make what is missing in the cache; the S3 server's binary must be there."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    shell = _layer("shell", _shell_key(), _shell, say)
    busybox = _image("busybox", [shell], command=FOREVER)
    packages = closure(CARRIED)
    python = _layer("python", _python_key(packages), lambda root: _python(root, packages), say)
    kfnb = _layer("kfnb", _kfnb_key(), _kfnb, say)
    step = _image(
        "kfnb-step",
        [shell, python, kfnb],
        environment=["PYTHONUNBUFFERED=1", "HOME=/home/kfnb", "LANG=C.UTF-8"],
        user=f"{USER}:{USER}",
        command=["python3"],
    )
    server = binaries.folders()["s3"] / "versitygw"
    s3 = _image(
        "s3",
        [shell, _layer("s3", server.parent.name, lambda root: _s3(root, server), say)],
        user=f"{USER}:{USER}",
        command=["sh", "-c", SERVE_S3],
    )
    _forget()
    return Images(busybox, step, s3)


def without(package: str, say: Say) -> Image:
    """Return the step image less one package, as somebody might have built it."""

    def hide(root: Path) -> None:
        hidden = root / PACKAGES / f".wh.{package}"
        hidden.parent.mkdir(parents=True)
        hidden.touch()

    packages = closure(CARRIED)
    layers = [
        _layer("shell", _shell_key(), _shell, say),
        _layer("python", _python_key(packages), lambda root: _python(root, packages), say),
        _layer("kfnb", _kfnb_key(), _kfnb, say),
        _layer(f"no-{package}", PYTHON, hide, say),
    ]
    return _image(f"no-{package}", layers, user=f"{USER}:{USER}", command=["python3"])


def closure(wanted: tuple[str, ...]) -> dict[str, importlib.metadata.Distribution]:
    """Return what these requirements and theirs are satisfied by here, by name; not kfnb."""
    found: dict[str, importlib.metadata.Distribution] = {}
    todo = [Requirement(one) for one in wanted]
    seen = set()
    while todo:
        one = todo.pop()
        key = (_plain(one.name), frozenset(one.extras))
        if key in seen:
            continue
        seen.add(key)
        distribution = importlib.metadata.distribution(one.name)
        found[key[0]] = distribution
        for text in distribution.requires or ():
            inner = Requirement(text)
            extras = [{"extra": extra} for extra in ("", *one.extras)]
            if inner.marker is None or any(inner.marker.evaluate(extra) for extra in extras):
                todo.append(inner)
    del found["kfnb"]
    return dict(sorted(found.items()))


def _image(short: str, layers: list[Layer], **config: object) -> Image:
    said = f"{ARCHITECTURE} {[layer.digest for layer in layers]} {sorted(config.items())}"
    key = hashlib.sha256(said.encode()).hexdigest()[:12]
    image = Image(f"localhost/{short}:{key}", FOLDER / f"{short}-{key}.tar")
    if not image.archive.exists():
        assemble(image.archive, name=image.name, layers=layers, **config)  # type: ignore[arg-type]
    os.utime(image.archive)
    return image


def _layer(name: str, key: str, build: Callable[[Path], None], say: Say) -> Layer:
    short = hashlib.sha256(f"{name} {ARCHITECTURE} {key}".encode()).hexdigest()[:12]
    layer = Layer(FOLDER / f"layer-{name}-{short}.tar")
    if not layer.complete:
        began = time.monotonic()
        with tempfile.TemporaryDirectory(dir=FOLDER, prefix=".building-") as folder:
            build(Path(folder))
            pack(Path(folder), layer)
        size = layer.path.stat().st_size / 2**20
        say(f"packed layer {name}, {size:.1f} MiB, in {time.monotonic() - began:.1f} s")
    for path in (layer.path, layer.path.with_suffix(".sha256")):
        os.utime(path)
    return layer


def _forget() -> None:
    """Remove what no checkout used for two weeks, and what a killed build left.

    Of each image and layer the newest few are kept: with every change of kfnb comes another
    image, half a gigabyte of mostly the same layers, made again in seconds where it is wanted.
    """
    now = time.time()
    kinds: dict[str, list[tuple[float, Path]]] = {}
    for path in FOLDER.iterdir():
        changed = path.stat().st_mtime
        if path.is_dir() and now - changed > 86400:
            shutil.rmtree(path)
        elif path.is_file():
            kind = f"{path.stem.rpartition('-')[0]}{path.suffix}"
            kinds.setdefault(kind, []).append((changed, path))
    for files in kinds.values():
        for place, (changed, path) in enumerate(sorted(files, reverse=True)):
            if now - changed > (14 * 86400 if place < KEPT else 3600):
                path.unlink(missing_ok=True)


# --- the shell ---


def _shell_key() -> str:
    return hashlib.sha256(need("busybox").read_bytes() + PEOPLE.encode()).hexdigest()


def _shell(root: Path) -> None:
    for folder in ("bin", "etc", "tmp", "var/tmp", "proc", "sys", "dev", "root", "home/kfnb"):
        (root / folder).mkdir(parents=True)
    for shared in ("tmp", "var/tmp", "home/kfnb"):
        (root / shared).chmod(0o1777)
    busybox = root / "bin" / "busybox"
    shutil.copy(need("busybox"), busybox)
    listed = subprocess.run([str(busybox), "--list"], check=True, capture_output=True, text=True)
    for name in set(listed.stdout.split()) - {"busybox"}:
        (root / "bin" / name).symlink_to("busybox")
    (root / "etc" / "passwd").write_text(PEOPLE, "ascii")
    (root / "etc" / "group").write_text(GROUPS, "ascii")
    (root / "etc" / "nsswitch.conf").write_text("hosts: files dns\n", "ascii")


# --- Python and packages ---


def _python_key(packages: dict[str, importlib.metadata.Distribution]) -> str:
    versions = [f"{name}=={one.version}" for name, one in packages.items()]
    code = hashlib.sha256(Path(__file__).read_bytes()).hexdigest()
    return "\n".join([sys.version, sys.base_prefix, code, *versions])


def _python(root: Path, packages: dict[str, importlib.metadata.Distribution]) -> None:
    base = Path(sys.base_prefix)
    binaries = root / "usr/local/bin"
    binaries.mkdir(parents=True)
    shutil.copy(base / "bin" / PYTHON, binaries / PYTHON)
    for name in ("python3", "python"):
        (binaries / name).symlink_to(PYTHON)
    standard = Path(sysconfig.get_path("stdlib", vars={"installed_base": str(base)}))
    ignored = shutil.ignore_patterns(*NOT_CARRIED)
    shutil.copytree(standard, root / f"usr/local/lib/{PYTHON}", ignore=ignored, symlinks=True)
    for distribution in packages.values():
        _copy(distribution, root)
    for script in binaries.iterdir():
        _shebang(script)
    for kernel in (root / "usr/local/share/jupyter/kernels").glob("*/kernel.json"):
        # The first word is the interpreter of the environment that it was installed in.
        text = re.sub(r'("argv":\s*\[\s*)"[^"]*"', r'\1"python3"', kernel.read_text("utf-8"))
        kernel.write_text(text, "utf-8")
    _libraries(root, base)
    _compile(root, root / f"usr/local/lib/{PYTHON}")


def _copy(distribution: importlib.metadata.Distribution, root: Path) -> None:
    """Copy the files that a package installed here to the same places below /usr/local."""
    prefix = Path(sys.prefix).resolve()
    site = Path(sysconfig.get_path("purelib")).resolve()
    for file in distribution.files or ():
        source = Path(str(distribution.locate_file(file)))
        place = Path(os.path.normpath(source.parent.resolve() / source.name))
        if "__pycache__" in place.parts or not place.is_file():
            continue
        if place.is_relative_to(site):
            target = root / PACKAGES / place.relative_to(site)
        elif place.is_relative_to(prefix):
            target = root / "usr/local" / place.relative_to(prefix)
        else:
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(place, target)


def _shebang(script: Path) -> None:
    if script.is_symlink():
        return
    head, _, rest = script.read_bytes().partition(b"\n")
    if head.startswith(b"#!") and b"python" in head:
        script.write_bytes(b"#!/usr/local/bin/python3\n" + rest)


def _libraries(root: Path, base: Path) -> None:
    """Copy the shared libraries that the interpreter and the extension modules link to."""
    linked = [path for path in root.rglob("*.so*") if path.is_file() and not path.is_symlink()]
    binary = root / "usr/local/bin" / PYTHON
    # Asked of the originals where they are, because a RUNPATH may be relative to them.
    command = ["ldd", str(base / "bin" / PYTHON), str(binary), *map(str, linked)]
    told = subprocess.run(command, capture_output=True, text=True, check=False).stdout
    paths = set(re.findall(r"^\t(?:\S+ => )?(/\S+) \(0x", told, re.MULTILINE))
    for path in map(Path, paths):
        if path.is_relative_to(root):
            continue
        private = path.is_relative_to(base) and base != Path("/usr")
        # The interpreter may find its library by a path that the image lacks.
        _put(path, root / "usr/lib" / path.name if private else root / str(path).lstrip("/"))
    loader = sysconfig.get_config_var("MULTIARCH") or ""
    for name in LOADED_LATE:
        for place in (Path("/lib") / loader / name, Path("/lib64") / name):
            if place.exists():
                _put(place, root / str(place).lstrip("/"))
                break


def _put(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    if not target.exists():
        shutil.copy(source, target)


def _compile(root: Path, folder: Path) -> None:
    """Compile for containers that may not write: nothing is checked against the sources."""
    command = [sys.executable, "-m", "compileall", "-q", "-j", "2", "-s", str(root), "-p", "/"]
    checked = ["--invalidation-mode", "unchecked-hash"]
    done = [*command, *checked, str(folder)]
    subprocess.run(done, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)


# --- S3 ---


def _s3(root: Path, server: Path) -> None:
    target = root / "usr/local/bin" / server.name
    target.parent.mkdir(parents=True)
    shutil.copy(server, target)


# --- kfnb ---


def _kfnb_files() -> list[Path]:
    found = (CHECKOUT / "kfnb").rglob("*")
    return sorted(path for path in found if path.is_file() and "__pycache__" not in path.parts)


def _kfnb_key() -> str:
    key = hashlib.sha256(f"{PYTHON}\n".encode())
    for path in _kfnb_files():
        key.update(f"{path.relative_to(CHECKOUT)}\0".encode())
        key.update(hashlib.sha256(path.read_bytes()).digest())
    for text in _metadata().values():
        key.update(text.encode())
    return key.hexdigest()


def _kfnb(root: Path) -> None:
    for path in _kfnb_files():
        target = root / PACKAGES / path.relative_to(CHECKOUT)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, target)
    about = root / PACKAGES / f"kfnb-{importlib.metadata.version('kfnb')}.dist-info"
    about.mkdir()
    for name, text in _metadata().items():
        (about / name).write_text(text, "utf-8")
    script = root / "usr/local/bin/kfnb"
    script.parent.mkdir(parents=True)
    script.write_text("#!/usr/local/bin/python3\nfrom kfnb.cli.main import main\n\nmain()\n")
    script.chmod(0o755)
    _compile(root, root / PACKAGES)


def _metadata() -> dict[str, str]:
    """Return what an installed kfnb says of itself: its version, and its entry points."""
    distribution = importlib.metadata.distribution("kfnb")
    names = ("METADATA", "entry_points.txt")
    return {name: distribution.read_text(name) or "" for name in names}


def _plain(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
