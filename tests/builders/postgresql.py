# SPDX-License-Identifier: Apache-2.0
"""Throw-away PostgreSQL servers, each on a unix socket in a folder of its own: started, crashed, set back, dumped.

A shell watches over them: when this process ends, by whatever signal, it ends its servers and removes their folders.
"""

import atexit
import os
import pwd
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from itertools import count
from pathlib import Path
from tempfile import mkdtemp
from typing import Self

import psycopg
from psycopg import sql

OWNER = "postgres"  # the superuser of each server
PORT = 5432  # a part of the socket's name
WITHIN = 120.0  # seconds, on a slow machine
MISSING = "PostgreSQL is not installed; tools/postgresql installs it"

_WATCH = """
cat > /dev/null
for data in "$1"/*/data; do
    pid=$(head -n 1 "$data/postmaster.pid") || continue
    while [ "$(readlink "/proc/$pid/cwd")" = "$data" ]; do kill -QUIT "$pid"; sleep 0.05; done
done
rm -rf "$1"
"""


@dataclass(frozen=True, slots=True)
class Account:
    """Whom the programs run as: PostgreSQL refuses to run as root. None is the user of the tests."""

    user: int | None = None
    group: int | None = None
    further_groups: list[str | int] | None = None

    def take(self, path: Path) -> None:
        if self.user is not None and self.group is not None:
            os.chown(path, self.user, self.group)


@dataclass(frozen=True, slots=True)
class Dump:
    """A database as `pg_dump` writes it, and the roles of its server as SQL."""

    archive: bytes
    roles: bytes


@cache
def programs() -> Path | None:
    """Finds the folder of PostgreSQL's programs: where Debian has it, newest first, else by PATH. None: not installed."""
    of_debian = Path("/usr/lib/postgresql").glob("*/bin/initdb")
    newest_first = sorted(of_debian, key=lambda program: float(program.parts[-3]), reverse=True)
    on_path = shutil.which("initdb")
    found = [*newest_first, *([Path(on_path).resolve()] if on_path else [])]
    return found[0].parent if found else None


@cache
def _account() -> Account:
    if os.geteuid() != 0:
        return Account()
    accounts = {each.pw_name: each for each in pwd.getpwall()}
    entry = accounts.get("postgres") or accounts["nobody"]
    return Account(entry.pw_uid, entry.pw_gid, [])


def _command(program: str, arguments: Sequence[str]) -> list[str]:
    folder = programs()
    if folder is None:
        raise FileNotFoundError(MISSING)
    return [str(folder / program), *arguments]


def _run(program: str, *arguments: str, given: bytes | None = None) -> bytes:
    """Runs one of PostgreSQL's programs and returns what it prints."""
    account = _account()
    ran = subprocess.run(
        _command(program, arguments),
        input=given,
        capture_output=True,
        check=False,
        cwd="/",
        user=account.user,
        group=account.group,
        extra_groups=account.further_groups,
        timeout=WITHIN,
    )
    if ran.returncode:
        raise RuntimeError(f"{program}: {ran.stderr.decode(errors='replace')}")
    return ran.stdout


def _copy(source: Path, target: Path) -> None:
    subprocess.run(["cp", "-a", "--reflink=auto", source, target], check=True)


def _until(done: Callable[[], bool], what: str) -> None:
    end = time.monotonic() + WITHIN
    while not done():
        if time.monotonic() > end:
            raise TimeoutError(what)
        time.sleep(0.01)


@cache
def _folder() -> Path:
    """The folder of this process's servers. Its name is short, since the name of a socket may have 107 bytes."""
    folder = Path(mkdtemp(prefix="pg-", dir="/tmp")).resolve()
    _account().take(folder)
    watcher = subprocess.Popen(
        ["sh", "-c", _WATCH, "sh", folder],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    atexit.register(watcher.communicate)
    return folder


def _initialize(data: Path) -> None:
    _run("initdb", "-D", str(data), "-U", OWNER, "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync")


@cache
def _template() -> Path:
    data = _folder() / "template"
    _initialize(data)
    return data


_numbers = count(1)


class Server:
    """One server with its own data.

    `durable`: what is committed is on the disk, as it is in a factory. Servers are copies of one and have its system
    identifier, unless `own_system` asks for another one, which takes longer.
    """

    def __init__(
        self, *, durable: bool = False, own_system: bool = False, settings: Mapping[str, str] | None = None
    ) -> None:
        self.folder = _folder() / str(next(_numbers))
        self.data = self.folder / "data"
        self.socket = self.folder / f".s.PGSQL.{PORT}"
        self._log = self.folder / "log"
        speed = {} if durable else {"fsync": "off", "full_page_writes": "off"}
        paths = {"listen_addresses": "", "unix_socket_directories": str(self.folder)}
        ready_is_recovered = {"hot_standby": "off"}
        self._settings = {**paths, **ready_is_recovered, "max_connections": "200", **speed, **(settings or {})}
        self._process: subprocess.Popen[bytes] | None = None
        self._databases = count(1)
        self._copies = count(1)
        self.folder.mkdir()
        _account().take(self.folder)
        if own_system:
            _initialize(self.data)
        else:
            _copy(_template(), self.data)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def start(self) -> None:
        """Starts the server and returns when it takes connections, after a recovery if it needs one."""
        assert self._process is None
        account = _account()
        settings = [part for name, value in self._settings.items() for part in ("-c", f"{name}={value}")]
        with self._log.open("ab") as log:
            process = self._process = subprocess.Popen(
                _command("postgres", ["-D", str(self.data), *settings]),
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd="/",
                user=account.user,
                group=account.group,
                extra_groups=account.further_groups,
                start_new_session=True,  # Ctrl-C is for the tests
            )

        def ready() -> bool:
            if process.poll() is not None:
                raise RuntimeError(f"the server has ended: {self._log.read_text(errors='replace')[-2000:]}")
            pid_file = self.data / "postmaster.pid"
            lines = pid_file.read_text().splitlines() if pid_file.exists() else []
            return len(lines) > 7 and lines[0] == str(process.pid) and lines[7].strip() == "ready"

        _until(ready, "the server does not take connections")

    def stop(self) -> None:
        """Stops the server cleanly; open transactions are rolled back and their sessions are told so."""
        self._end(signal.SIGINT)

    def crash(self) -> None:
        """Ends the server and its sessions at once; the next start replays the write-ahead log."""
        self._end(signal.SIGQUIT)

    def kill(self) -> None:
        """Kills the first process of the server, whose sessions then end by themselves."""
        self._end(signal.SIGKILL)

        _until(lambda: not self._processes(), "a session outlives its server")

    @contextmanager
    def standing_still(self) -> Iterator[None]:
        """Stops the server and all its sessions for the block, as a machine does that swaps: nothing answers, and nothing is closed."""
        stopped = self._processes()
        for pid in stopped:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            for pid in stopped:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGCONT)

    def _processes(self) -> list[int]:
        return [int(process.name) for process in Path("/proc").glob("[0-9]*") if _works_in(process, self.data)]

    def close(self) -> None:
        """Ends the server, and removes its data."""
        if self._process is not None:
            self.crash()
        shutil.rmtree(self.folder)

    def _end(self, number: signal.Signals) -> None:
        assert self._process is not None
        self._process.send_signal(number)
        self._process.wait(WITHIN)
        self._process = None

    def dsn(self, database: str = OWNER, user: str = OWNER) -> str:
        """The connection string of libpq for one database."""
        return f"host={self.folder} port={PORT} dbname={database} user={user}"

    def database(self, template: str = "template1") -> str:
        """Makes a fresh database, or a copy of `template`, which nobody may be connected to. Returns its name."""
        name = f"d{next(self._databases)}"
        with psycopg.connect(self.dsn(), autocommit=True) as connection:
            create = sql.SQL("CREATE DATABASE {} TEMPLATE {}")
            connection.execute(create.format(sql.Identifier(name), sql.Identifier(template)))
        return name

    def drop(self, database: str) -> None:
        """Drops a database, and ends the sessions in it."""
        with psycopg.connect(self.dsn(), autocommit=True) as connection:
            connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(database)))

    def copy_files(self) -> Path:
        """Copies the data as raw files, while a server that runs is stopped. Returns the copy's folder."""
        running = self._process is not None
        if running:
            self.stop()
        copy = self.folder / f"copy-{next(self._copies)}"
        _copy(self.data, copy)
        if running:
            self.start()
        return copy

    def put_back(self, copy: Path) -> None:
        """Starts the server with an earlier copy of its files: the same system identifier, the same timeline."""
        self._replace_files(copy)
        self.start()

    def recover(self, copy: Path) -> None:
        """Starts the server with an earlier copy by a recovery, as backup tools do it: on a new timeline."""
        self._replace_files(copy)
        signal_file = self.data / "recovery.signal"
        signal_file.touch()
        _account().take(signal_file)
        with (self.data / "postgresql.auto.conf").open("a") as settings:
            settings.write("restore_command = 'false'\n")  # the copy is all there is
        self.start()

    def _replace_files(self, copy: Path) -> None:
        if self._process is not None:
            self.stop()
        shutil.rmtree(self.data)
        _copy(copy, self.data)

    def dump(self, database: str) -> Dump:
        """Dumps one database, with the roles of the server."""
        archive = _run("pg_dump", "--format=custom", "--dbname", self.dsn(database))
        return Dump(archive, _run("pg_dumpall", "--roles-only", "--dbname", self.dsn()))

    def load(self, dump: Dump) -> str:
        """Loads a dump, mostly of another server. Returns the name of the new database."""
        _run("psql", "--quiet", "--no-psqlrc", "--dbname", self.dsn(), given=dump.roles)  # some are there already
        database = self.database("template0")
        _run("pg_restore", "--exit-on-error", "--dbname", self.dsn(database), given=dump.archive)
        return database


def _works_in(process: Path, folder: Path) -> bool:
    try:
        return (process / "cwd").readlink() == folder
    except OSError:  # it has ended, is a zombie, or is another user's
        return False
