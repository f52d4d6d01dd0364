"""docs/docker.md: what is typed without Docker; with it, see ``tests/deploy``."""

from __future__ import annotations

from configparser import RawConfigParser
from pathlib import Path

from page import ROOT, Terminal, blocks
from processes import Project

MAIN = """
[supervisord]
nodaemon=true
[unix_http_server]
file={folder}/supervisor.sock
[rpcinterface:supervisor]
supervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface
[supervisorctl]
serverurl=unix://{folder}/supervisor.sock
[include]
files={folder}/conf.d/*.conf
"""


def of_sleepers(folder: Path) -> str:
    """Return the file of the repository with programs that only sleep, and logs in a folder."""
    parser = RawConfigParser(inline_comment_prefixes=(" ;",))
    parser.read(ROOT / "supervisor/flaskiq.conf")
    programs = []
    for section in parser.sections():
        log = parser[section]["stdout_logfile"].replace("/var/log", str(folder))
        programs.append(f"[{section}]\ncommand=sleep 60\nstartsecs=0\nstdout_logfile={log}\n")
    return "\n".join(programs)


def test_the_passwords_are_written(project: Project) -> None:
    terminal = Terminal(project)
    terminal.type(blocks("docker.md", "Docker Compose")[0])
    lines = (project.folder / ".env").read_text().splitlines()
    assert [line.partition("=")[0] for line in lines] == ["REDIS_PASSWORD", "FLOWER_BASIC_AUTH"]
    assert min(map(len, lines)) > 60
    terminal.end()


def test_supervisor_does_what_it_is_told(project: Project) -> None:
    folder = project.folder
    main = project.write("supervisord.conf", MAIN.format(folder=folder))
    project.write("supervisor/flaskiq.conf", of_sleepers(folder))
    (folder / "conf.d").mkdir()
    given = {
        "/etc/supervisor/conf.d/": f"{folder}/conf.d/",
        "supervisorctl ": f"supervisorctl -c {main} ",
        "tail -f /var/log": f"tail {folder}",
    }
    project.start("supervisord", "--configuration", str(main)).wait_for("supervisord started")
    terminal = Terminal(project, given)
    printed = terminal.type(blocks("docker.md", "Supervisor")[0])
    assert "flaskiq-worker: added process group" in printed
    assert "flaskiq-worker: started" in printed
    terminal.end()
