"""Template: a process that has imported the app, and from which the children are forked.

It has one thread, no connection and no event loop, so every fork of it is clean at any time; the
node has all three. Of a running node, a new template is a new program: it imports today's code.
"""

from __future__ import annotations

import ctypes
import gc
import json
import logging
import multiprocessing.process
import multiprocessing.util
import os
import signal
import socket
import subprocess
import sys
from contextlib import suppress
from dataclasses import asdict
from importlib import import_module
from typing import Any

import billiard.process
import billiard.util
import kombu.asynchronous
from celery import Celery, platforms, signals
from redis import Redis

from flaskiq.runtime.loops import shared
from flaskiq.runtime.pool.child import Child, Spec, boot, prepare
from flaskiq.runtime.pool.slots import Memory
from flaskiq.runtime.pools import TEMPLATE
from flaskiq.store import script

logger = logging.getLogger(__name__)

READY = b"ready"
"""What a template says that was started, once it has imported the app."""

_NEEDED = ("celery.worker.strategy", "encodings.idna")
"""Modules that a child would import by itself, only later."""

_ORDERS = 65_536
_IGNORED = ("SIGTERM", "SIGINT", "SIGQUIT", "SIGHUP", "SIGTSTP", "SIGTTIN", "SIGUSR1")
_RESET = ("SIGTERM", "SIGHUP", "SIGTTIN", "SIGUSR1", "SIGUSR2", "SIGQUIT", "SIGALRM", "SIGCHLD")


class TemplateGoneError(Exception):
    """The template does not answer: it was killed."""


class Template:
    """The node's end: asks for children, and how they ended."""

    def __init__(self, sock: socket.socket, pid: int) -> None:
        self._socket, self.pid = sock, pid

    @classmethod
    def fork(cls, app: Celery, hostname: str, memory: Memory) -> Template:
        """Make one of this process, before it has threads, connections or an event loop."""
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        channel = _prepare_sharing(app, hostname)
        pid = os.fork()
        if not pid:
            ours.close()
            serve(app, memory, theirs, channel)
        theirs.close()
        return cls(ours, pid)

    @classmethod
    def execute(cls, memory: Memory) -> Template:
        """Start this very program anew, as a template: it reads and imports what is there now."""
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        fds = (theirs.fileno(), memory.fd)
        started = subprocess.Popen(  # noqa: S603 - what this process was started with
            [sys.executable, *sys.orig_argv[1:]],
            env={**os.environ, TEMPLATE: ",".join(map(str, (*fds, memory.threads)))},
            pass_fds=fds,
            stdin=subprocess.DEVNULL,
        )
        theirs.close()
        return cls(ours, started.pid)

    def fileno(self) -> int:
        """The number of its socket: readable when it is gone."""
        return self._socket.fileno()

    @property
    def is_gone(self) -> bool:
        """Whether it has ended."""
        try:
            return not self._socket.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT)
        except BlockingIOError:
            return False
        except OSError:
            return True

    @property
    def is_ready(self) -> bool:
        """Whether a template that was started has imported the app; asked again and again."""
        try:
            return self._socket.recv(_ORDERS, socket.MSG_DONTWAIT) == READY
        except OSError:
            return False

    def spawn(self, spec: Spec, sock: socket.socket) -> int:
        """Fork a child that has the other end of ``sock``, and return its process id.

        Raises:
            TemplateGoneError: there is no such template any more.
        """
        return int(self._ask({"spawn": asdict(spec)}, [sock.fileno()])["pid"])

    def wait(self, pid: int) -> int | None:
        """Return the exit code of a child, below 0 for a signal, or None while it runs.

        Raises:
            TemplateGoneError: there is no such template any more.
        """
        code = self._ask({"wait": pid})["code"]
        return None if code is None else int(code)

    def close(self) -> None:
        """Let it end; its children go on."""
        self._socket.close()

    def has_ended(self) -> bool:
        """Whether it is over; the system forgets it then."""
        try:
            return os.waitpid(self.pid, os.WNOHANG)[0] != 0
        except ChildProcessError:
            return True

    def _ask(self, order: dict[str, Any], fds: list[int] | None = None) -> dict[str, Any]:
        try:
            socket.send_fds(self._socket, [json.dumps(order).encode()], fds or [])
            answer = self._socket.recv(_ORDERS)
        except OSError as error:
            raise TemplateGoneError(str(error)) from None
        if not answer:
            raise TemplateGoneError("end of file")
        reply: dict[str, Any] = json.loads(answer)
        return reply


def is_wanted() -> bool:
    """Whether this program is to be a template, and no worker."""
    return TEMPLATE in os.environ


def become(worker: Any) -> None:
    """Go on as a template, in place of a worker that has imported the app. Does not return."""
    fd, memory, threads = map(int, os.environ.pop(TEMPLATE).split(","))
    # What Celery does when a worker starts (``on_start`` in celery/apps/worker.py).
    if not worker._custom_logging and worker.redirect_stdouts:  # noqa: SLF001
        worker.app.log.redirect_stdouts(worker.redirect_stdouts_level)
    sock = socket.socket(fileno=fd)
    channel = _prepare_sharing(worker.app, worker.hostname)
    sock.send(READY)
    serve(worker.app, Memory(threads, fd=memory), sock, channel)


def _prepare_sharing(app: Celery, hostname: str) -> Any:
    """Load what every child needs, and let no garbage collection write to what is there now.

    Returns a channel for the children, None if Redis cannot be reached.

    Processes share a page of memory until one of them writes to it, and a collection writes to
    every object that it looks at.
    """
    for name in _NEEDED:
        import_module(name)
    shared.load(app)
    script.preload()
    _ = app.backend  # to find it, Celery reads the entry points of all packages
    # With the first one redis-py sets up a logger, and all others forget their level.
    _ = Redis().pubsub()  # type: ignore[no-untyped-call]
    channel = prepare(app, hostname)
    gc.collect()
    _trim_heap()
    gc.freeze()
    return channel


def _trim_heap() -> None:
    """Give back to the system what malloc keeps free: a fork that used it would copy it first."""
    with suppress(AttributeError):  # only glibc can
        ctypes.CDLL(None).malloc_trim(0)


def serve(app: Celery, memory: Memory, sock: socket.socket, channel: Any) -> None:
    """Fork children until the node is gone. Does not return, whatever happens."""
    try:
        _serve(app, memory, sock, channel)
    except BaseException:
        logger.critical("The template cannot go on", exc_info=True)
    finally:
        os._exit(1)


def _serve(app: Celery, memory: Memory, sock: socket.socket, channel: Any) -> None:
    for name in _IGNORED:
        signal.signal(getattr(signal, name), signal.SIG_IGN)
    platforms.set_mp_process_title("celeryd", info="template")
    while True:
        data, fds, _, _ = socket.recv_fds(sock, _ORDERS, 1)
        if not data:
            os._exit(0)
        order = json.loads(data)
        answer: dict[str, int | None]
        if "spawn" in order:
            answer = {"pid": _fork(app, memory, Spec(**order["spawn"]), sock, fds[0], channel)}
        else:
            answer = {"code": _exit_code(order["wait"])}
        sock.send(json.dumps(answer).encode())


def _exit_code(pid: int) -> int | None:
    try:
        ended, status = os.waitpid(pid, os.WNOHANG)
    except ChildProcessError:
        return 0
    return os.waitstatus_to_exitcode(status) if ended else None


def _fork(
    app: Celery, memory: Memory, spec: Spec, sock: socket.socket, fd: int, channel: Any
) -> int:
    pid = os.fork()
    if pid:
        os.close(fd)
        return pid
    code = 1
    try:
        sock.close()
        _become_child(spec)
        boot(app, spec.hostname)
        Child(app, spec, memory, socket.socket(fileno=fd), channel).run()
        signals.worker_process_shutdown.send(sender=spec.hostname, pid=os.getpid(), exitcode=0)
        code = 0
    except BaseException:
        logger.critical("A child cannot go on", exc_info=True)
    finally:
        logging.shutdown()
        with suppress(Exception):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code)


def _become_child(spec: Spec) -> None:
    """Do what billiard does for the children of prefork."""
    for name in _RESET:
        signal.signal(getattr(signal, name), signal.SIG_DFL)
    for name in ("SIGINT", "SIGTSTP"):
        signal.signal(getattr(signal, name), signal.SIG_IGN)
    signal.set_wakeup_fd(-1)
    kombu.asynchronous.set_event_loop(None)
    current: Any
    for current in (
        billiard.process.current_process(),
        multiprocessing.process.current_process(),
    ):
        current._name = f"Flaskiq-{spec.index + 1}"  # noqa: SLF001 - it is in Celery's log lines
    run: Any
    # The pools of Celery and kombu let go of their connections there.
    for run in (billiard.util._run_after_forkers, multiprocessing.util._run_after_forkers):  # type: ignore[attr-defined] # noqa: SLF001
        run()
    gc.enable()
    platforms.set_mp_process_title("celeryd", hostname=spec.hostname)
