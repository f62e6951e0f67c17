"""Kaggle played: a process that sees folders as `/kaggle`, an empty `/tmp` and no network."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

# Builds a root of the system's own folders and enters it; $1 is an empty folder, $2 the one that
# plays /kaggle, $3 the Python environment. Kernels talk over the loopback, which starts as down.
ENTER = """
set -e
for entry in /*; do
  if [ -L "$entry" ]; then cp -P "$entry" "$1"
  elif [ "$entry" = /tmp ] || [ "$entry" = /kaggle ]; then :
  elif [ -d "$entry" ]; then mkdir "$1$entry"; mount --rbind "$entry" "$1$entry"; fi
done
mkdir "$1/tmp" "$1/kaggle"
mount -t tmpfs tmpfs "$1/tmp"
mount --rbind "$2" "$1/kaggle"
mount -o bind,ro "$1/kaggle/input" "$1/kaggle/input" 2>/dev/null || :
case "$3" in /tmp/*) mkdir -p "$1$3"; mount --rbind "$3" "$1$3" ;; esac
"$3/bin/python" -c '
import fcntl, socket, struct
up = struct.pack("16sh", b"lo", 1)
fcntl.ioctl(socket.socket(), 0x8914, up)  # SIOCSIFFLAGS
'
exec chroot "$1" /bin/bash -c 'cd /kaggle/working && exec "$@"' - "${@:4}"
"""
UNSHARE = ["unshare", "--user", "--map-root-user", "--net", "--mount"]


def can_play() -> bool:
    """Tell whether this system lets one have namespaces."""
    return (
        bool(shutil.which("unshare"))
        and not subprocess.run([*UNSHARE, "true"], capture_output=True).returncode
    )


def play(kaggle: Path, *command: str) -> subprocess.CompletedProcess[str]:
    """Run a command in `/kaggle/working`, where `kaggle` has the folders `input` and `working`."""
    root = kaggle.with_name(f"{kaggle.name}_root")
    root.mkdir()
    environment = {key: os.environ[key] for key in ("LANG", "OMP_NUM_THREADS") if key in os.environ}
    environment |= {"PATH": f"{sys.prefix}/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/tmp"}
    entering = [*UNSHARE, "bash", "-c", ENTER, "-", str(root), str(kaggle), sys.prefix]
    result = subprocess.run(
        [*entering, *command], env=environment, capture_output=True, text=True, timeout=900
    )
    shutil.rmtree(root)  # the mounts went with the namespace
    return result
