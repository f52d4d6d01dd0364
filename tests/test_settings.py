from __future__ import annotations

import logging
import os
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from ssl import CERT_NONE, CERT_REQUIRED
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from celery import Celery
from celery.app.defaults import DEFAULT_PROCESS_LOG_FMT, DEFAULT_TASK_LOG_FMT, SETTING_KEYS
from flask import Flask
from kombu import Exchange, Queue

from flaskiq.errors import SettingError
from flaskiq.settings import TABLE, Settings, kinds, mask_url

LOCAL = "redis://localhost:6379/0"
DAY = 86_400


@pytest.fixture(autouse=True)
def _bare_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith(("CELERY", "FLASKIQ_", "BROKER_"))]:
        monkeypatch.delenv(name)


@pytest.fixture
def app(tmp_path: Path) -> Flask:
    return Flask("shop", root_path=str(tmp_path))


def load(app: Flask, environ: dict[str, str] | None = None, **config: Any) -> Settings:
    app.config.update(config)
    return Settings.load(app, environ=environ or {})


def celery_app(settings: Settings) -> Any:
    celery = Celery("shop", set_as_current=False)
    celery.conf.update(settings.celery_config())
    return celery


def write_dotenv(folder: str | Path, text: str) -> Path:
    path = Path(folder) / ".env"
    path.write_text(text)
    return path


# --- Where a value comes from


def test_environment_then_dotenv_then_celery_dict_then_flask_config_then_default(
    app: Flask,
) -> None:
    def limit(environ: dict[str, str] | None = None) -> tuple[Any, str]:
        settings = load(app, environ)
        return settings["CELERY_TASK_TIME_LIMIT"], settings.sources["CELERY_TASK_TIME_LIMIT"]

    assert limit() == (1800, "default")
    app.config["CELERY_TASK_TIME_LIMIT"] = 2001
    assert limit() == (2001, "Flask config")
    app.config["CELERY"] = {"task_time_limit": 2002}
    assert limit() == (2002, "Flask config")
    write_dotenv(app.root_path, "CELERY_TASK_TIME_LIMIT=2003\n")
    assert limit() == (2003, ".env")
    assert limit({"CELERY_TASK_TIME_LIMIT": "2004"}) == (2004, "environment")


def test_dotenv_is_never_written_into_the_environment(app: Flask) -> None:
    write_dotenv(app.root_path, "CELERY_TIMEZONE=Asia/Kolkata\n")
    assert Settings.load(app)["CELERY_TIMEZONE"] == "Asia/Kolkata"
    assert "CELERY_TIMEZONE" not in os.environ


def test_dotenv_of_a_package_lies_in_it_or_beside_it(tmp_path: Path) -> None:
    package = tmp_path / "shop"
    package.mkdir()
    (package / "__init__.py").touch()
    app = Flask("shop", root_path=str(package))
    write_dotenv(tmp_path, "FLASKIQ_QUEUES=beside\n")
    assert load(app).queues == ("beside",)
    write_dotenv(package, "FLASKIQ_QUEUES=inside\n")
    assert load(app).queues == ("inside",)


def test_dotenv_above_a_module_is_not_its_own(tmp_path: Path) -> None:
    folder = tmp_path / "shop"
    folder.mkdir()
    write_dotenv(tmp_path, "FLASKIQ_QUEUES=foreign\n")
    assert "foreign" not in load(Flask("app", root_path=str(folder))).queues


def test_empty_text_and_none_are_not_set(app: Flask) -> None:
    write_dotenv(app.root_path, "CELERY_TIMEZONE\nFLASKIQ_QUEUES=\n")
    settings = load(app, {"CELERY_BROKER_URL": " "}, CELERY_TASK_TIME_LIMIT=None)
    assert set(settings.sources.values()) == {"default"}
    assert settings.broker_url == LOCAL


def test_the_process_environment_is_read(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CELERY_WORKER_CONCURRENCY", "3")
    settings = Settings.load(app)
    assert celery_app(settings).conf.worker_concurrency == 3
    assert settings.sources["CELERY_WORKER_CONCURRENCY"] == "environment"


def test_a_variable_called_celery_is_not_ours(app: Flask) -> None:
    assert load(app, {"CELERY": "/opt/celery"})["CELERY"] == {}


def test_settings_are_frozen(app: Flask) -> None:
    settings = load(app)
    with pytest.raises(AttributeError):
        settings.values = {}  # type: ignore[misc]
    with pytest.raises(TypeError):
        settings.values["FLASKIQ_QUEUES"] = ()  # type: ignore[index]
    with pytest.raises(TypeError):
        settings["CELERY"]["task_time_limit"] = 1
    settings.celery_config()["broker_transport_options"].clear()
    options = settings.celery_config()["broker_transport_options"]
    assert options["queue_order_strategy"] == "priority"


# --- Every row acts, from the environment and from Flask config

ACTS: dict[str, tuple[str, Any, Any]] = {
    "CELERY_BROKER_URL": ("redis://:pw@a:1/2", "redis://:pw@a:1/2", "redis://:pw@a:1/2"),
    "CELERY_RESULT_BACKEND": ("redis://b:1/2", "redis://b:1/2", "redis://b:1/2"),
    "CELERY_RESULT_EXPIRES": ("60", timedelta(minutes=1), 60),
    "CELERY_TASK_TIME_LIMIT": ("2000", 2000, 2000),
    "CELERY_TASK_SOFT_TIME_LIMIT": ("12.5", 12.5, 12.5),
    "CELERY_RESULT_CHORD_EXPIRES": ("200000", 200000, 200000),
    "CELERY_TASK_IGNORE_RESULT": ("yes", True, True),
    "CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP": ("no", False, False),
    "CELERY_WORKER_CONCURRENCY": ("auto", "auto", "auto"),
    "CELERY_WORKER_PREFETCH_MULTIPLIER": ("4", 4, 4),
    "CELERY_WORKER_DISABLE_RATE_LIMITS": ("true", True, True),
    "CELERY_WORKER_LOG_FORMAT": ("%(message)s ", "%(message)s ", "%(message)s "),
    "CELERY_WORKER_LOG_COLOR": ("off", False, False),
    "CELERY_WORKER_HIJACK_ROOT_LOGGER": ("0", False, False),
    "CELERY_WORKER_MAX_TASKS_PER_CHILD": ("7", 7, 7),
    "CELERY_WORKER_SEND_TASK_EVENTS": ("on", True, True),
    "CELERY_TASK_SEND_SENT_EVENT": ("1", True, True),
    "CELERY_TIMEZONE": ("Europe/Berlin", "Europe/Berlin", ZoneInfo("Europe/Berlin")),
}


def test_no_row_is_untested() -> None:
    fed = {row.name for row in TABLE if row.celery} - {"FLASKIQ_QUEUES"}
    assert fed == set(ACTS)
    assert {row.celery for row in TABLE if row.celery} <= SETTING_KEYS
    assert all(row.why.endswith(".") for row in TABLE)


@pytest.mark.parametrize("name", ACTS)
@pytest.mark.parametrize("place", ["environment", "Flask config", "CELERY"])
def test_row_reaches_celery(app: Flask, name: str, place: str) -> None:
    text, value, expected = ACTS[name]
    (celery,) = (str(row.celery) for row in TABLE if row.name == name)
    if place == "environment":
        settings = load(app, {name: text})
    elif place == "Flask config":
        settings = load(app, **{name: value})
    else:
        settings = load(app, CELERY={celery: value})
    conf = celery_app(settings).conf
    seen = ZoneInfo(conf.timezone) if celery == "timezone" else conf[celery]
    assert seen == expected
    assert settings.sources[name] == ("environment" if place == "environment" else "Flask config")


def test_flaskiq_rows(app: Flask) -> None:
    environ = {"FLASKIQ_WORKERS": "workers, shop.jobs,", "FLASKIQ_ENV": "Development"}
    settings = load(app, environ, FLASKIQ_QUEUES=["mail", "default"])
    assert settings.workers == ("workers", "shop.jobs")
    assert settings.env == "development"
    assert settings.queues == ("mail", "default")
    assert load(app, FLASKIQ_WORKERS=()).workers == ()


# --- Values that cannot be read

WRONG = [
    ("FLASKIQ_ENV", "staging", "production or development"),
    ("FLASKIQ_WORKERS", "my-workers", "names of packages"),
    ("FLASKIQ_QUEUES", "low,low", "each once"),
    ("FLASKIQ_QUEUES", "one two", "names of queues"),
    ("CELERY_BROKER_URL", "localhost:6379", "URL of a Redis"),
    ("CELERY_BROKER_URL", "redis:localhost", "URL of a Redis"),
    ("CELERY_BROKER_URL", "amqp://localhost", "URL of a Redis"),
    ("CELERY_BROKER_URL", "redis://localhost:port/0", "URL of a Redis"),
    ("CELERY_BROKER_URL", "redis://localhost/zero", "URL of a Redis"),
    ("CELERY_BROKER_URL", "redis://:1#2@localhost/0", "percent-encoded"),
    ("CELERY_RESULT_BACKEND", "localhost", "disabled://"),
    ("CELERY_RESULT_BACKEND", "redis://localhost:x", "disabled://"),
    ("CELERY_RESULT_EXPIRES", "-1", "seconds"),
    ("CELERY_TASK_TIME_LIMIT", "30m", "seconds"),
    ("CELERY_TASK_TIME_LIMIT", "nan", "seconds"),
    ("CELERY_TASK_IGNORE_RESULT", "maybe", "true or false"),
    ("CELERY_WORKER_CONCURRENCY", "many", "at least 1, or auto"),
    ("CELERY_WORKER_CONCURRENCY", "0", "at least 1, or auto"),
    ("CELERY_WORKER_PREFETCH_MULTIPLIER", "-1", "0 for no limit"),
    ("CELERY_WORKER_LOGLEVEL", "loud", "debug or info or warning"),
    ("CELERY_WORKER_LOG_FORMAT", "a plain text", "format of Python's logging"),
    ("CELERY_WORKER_OPTS", "--hostname='w1", "quotes closed"),
    ("ENABLE_FLOWER", "perhaps", "true or false"),
    ("CELERY_WORKER_MAX_TASKS_PER_CHILD", "1.5", "whole number"),
    # Celery's own command line reads this 0 too, and its pool ends with an AssertionError.
    ("CELERY_WORKER_MAX_TASKS_PER_CHILD", "0", "at least 1"),
    ("CELERY_TIMEZONE", "Europe/Brlin", "time zone"),
    ("CELERY_TIMEZONE", "Europe", "time zone"),
    ("CELERY_TIMEZONE", "../etc", "time zone"),
]


@pytest.mark.parametrize(("name", "text", "expected"), WRONG)
def test_unreadable_text_is_refused(app: Flask, name: str, text: str, expected: str) -> None:
    with pytest.raises(SettingError) as refusal:
        load(app, {name: text})
    assert str(refusal.value).startswith(f"{name}={mask_url(text)} (environment): expected ")
    assert expected in str(refusal.value)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("FLASKIQ_QUEUES", []),
        ("FLASKIQ_QUEUES", 3),
        ("FLASKIQ_QUEUES", [1]),
        ("FLASKIQ_WORKERS", {"workers"}),
        ("CELERY_BROKER_URL", 6379),
        ("CELERY_TASK_TIME_LIMIT", True),
        ("CELERY_TASK_TIME_LIMIT", timedelta(seconds=-1)),
        ("CELERY_TASK_IGNORE_RESULT", 2),
        ("CELERY_TIMEZONE", 1),
        ("CELERY", "task_time_limit=3"),
    ],
)
def test_unreadable_value_is_refused(app: Flask, name: str, value: Any) -> None:
    with pytest.raises(SettingError, match=r"\(Flask config\): expected "):
        load(app, **{name: value})


def test_refusal_tells_the_place_and_hides_the_password(app: Flask) -> None:
    path = write_dotenv(app.root_path, "CELERY_BROKER_URL=redis://:hush@host:x/0\n")
    with pytest.raises(SettingError) as refusal:
        load(app)
    assert f"CELERY_BROKER_URL=redis://:***@host:x/0 ({path})" in str(refusal.value)
    assert refusal.value.__suppress_context__
    path.unlink()
    with pytest.raises(SettingError, match=r"^broker_url=redis://:\*\*\*@h:x \(CELERY in Flask c"):
        load(app, CELERY={"broker_url": "redis://:hush@h:x"})


def test_kinds_for_later_rows() -> None:
    assert kinds.INTEGER.parse("-3") == -3
    assert kinds.FLOAT.parse("0.5") == 0.5
    for kind, wrong in ((kinds.INTEGER, "0.5"), (kinds.FLOAT, "inf"), (kinds.FLOAT, True)):
        with pytest.raises(ValueError, match=str(wrong)):
            kind.parse(wrong)


# --- Keys that nothing reads


def test_misspelt_flaskiq_key_is_refused(app: Flask) -> None:
    with pytest.raises(SettingError, match=r"FLASKIQ_QUEUE .Flask config.*'FLASKIQ_QUEUES'"):
        load(app, FLASKIQ_QUEUE="mail")
    del app.config["FLASKIQ_QUEUE"]
    path = write_dotenv(app.root_path, "FLASKIQ_WORKER=jobs\n")
    with pytest.raises(SettingError, match="did you mean 'FLASKIQ_WORKERS'") as refusal:
        load(app)
    assert str(path) in str(refusal.value)


def test_unknown_name_in_the_environment_may_be_a_newer_version_s(
    app: Flask, caplog: pytest.LogCaptureFixture
) -> None:
    load(app, {"FLASKIQ_APP": "server:app", "FLASKIQ_ENV": "production"})
    assert caplog.messages == []
    load(app, {"FLASKIQ_QUEUS": "mail"})
    assert "did you mean 'FLASKIQ_QUEUES'?" in caplog.text


@pytest.mark.parametrize(
    ("key", "advice"),
    [
        ("task_tme_limit", "did you mean 'task_time_limit'"),
        ("TASK_TIME_LIMIT", "is called 'task_time_limit'"),
        ("CELERYD_CONCURRENCY", "is called 'worker_concurrency'"),
        ("CELERYD_TASK_TIME_LIMIT", "is called 'task_time_limit'"),
        ("CELERY_TASK_RESULT_EXPIRES", "is called 'result_expires'"),
        ("CELERY_TASK_ACKS_LATE", "is called 'task_acks_late'"),
        ("celery_acks_late", "is called 'task_acks_late'"),
        ("chord_unlock_max_retries", "use result_chord_expires"),
        ("CHORD_UNLOCK_RETRY_DELAY", "use result_chord_expires"),
        ("result_persistent", "use result_expires"),
        ("zzz", "celery.conf"),
        (3, "not a setting"),
    ],
)
def test_key_that_celery_does_not_read_is_refused(app: Flask, key: Any, advice: str) -> None:
    with pytest.raises(SettingError) as refusal:
        load(app, CELERY={key: 1})
    assert f"CELERY[{key!r}]" in str(refusal.value)
    assert advice in str(refusal.value)


def test_result_persistent_is_lawful_with_rpc(app: Flask) -> None:
    given = {"result_backend": "rpc://", "result_persistent": True}
    assert load(app, CELERY=given).celery_config()["result_persistent"] is True


def test_celery_key_of_flask_config_that_nothing_reads_is_told(
    app: Flask, caplog: pytest.LogCaptureFixture
) -> None:
    load(app, CELERY_TASK_ALWAYS_EAGER=True, CELERY_TASK_IGNORE_RESULT=True)
    (message,) = caplog.messages
    assert message.startswith("CELERY_TASK_ALWAYS_EAGER in Flask config is not read")
    assert "'task_always_eager'" in message


# --- The two names of the broker


def test_celery_broker_url_wins_over_broker_url_and_says_so(
    app: Flask, caplog: pytest.LogCaptureFixture
) -> None:
    environ = {"BROKER_URL": "redis://:one@a:6379/0", "CELERY_BROKER_URL": "redis://:two@b:6379/0"}
    assert load(app, environ).broker_url == "redis://:two@b:6379/0"
    (message,) = caplog.messages
    assert "CELERY_BROKER_URL=redis://:***@b:6379/0 (environment) is used" in message
    assert "BROKER_URL=redis://:***@a:6379/0 (environment) is ignored" in message
    assert "one" not in caplog.text
    assert "two" not in caplog.text


def test_broker_url_alone_is_enough(app: Flask, caplog: pytest.LogCaptureFixture) -> None:
    settings = load(app, {"BROKER_URL": "redis://a:6379/0"})
    assert settings.broker_url == settings.result_backend == "redis://a:6379/0"
    load(app, {"BROKER_URL": LOCAL, "CELERY_BROKER_URL": LOCAL})
    assert caplog.messages == []


def test_a_deployed_broker_url_beats_the_one_in_the_code(
    app: Flask, caplog: pytest.LogCaptureFixture
) -> None:
    settings = load(app, {"BROKER_URL": "redis://live:6379/0"}, CELERY_BROKER_URL=LOCAL)
    assert settings.broker_url == "redis://live:6379/0"
    assert f"CELERY_BROKER_URL={LOCAL} (Flask config) is ignored" in caplog.text


def test_overriding_a_default_of_flask_config_is_no_contradiction(
    app: Flask, caplog: pytest.LogCaptureFixture
) -> None:
    load(app, {"CELERY_BROKER_URL": "redis://live:6379/0"}, CELERY={"broker_url": LOCAL})
    assert caplog.messages == []


PROBE = """
from celery import Celery
from flask import Flask
from flaskiq.settings import Settings

app = Celery("probe")
app.conf.update(Settings.load(Flask(__name__)).celery_config())
print("broker", app.conf.broker_url, "results", app.conf.result_backend)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="macOS does not tell what it was started with")
@pytest.mark.parametrize(
    ("flags", "broker"),
    [([], "redis://right:6379/0"), (["--broker", "redis://flag:6379/0"], "redis://flag:6379/0")],
)
def test_the_celery_program_uses_the_broker_that_the_web_process_uses(
    tmp_path: Path, flags: list[str], broker: str
) -> None:
    """``celery`` reads BROKER_URL itself and copies it over CELERY_BROKER_URL."""
    (tmp_path / "probe.py").write_text(PROBE)
    environ = {
        **os.environ,
        "BROKER_URL": "redis://wrong:6379/0",
        "CELERY_BROKER_URL": "redis://right:6379/0",
        "RESULT_BACKEND": "redis://results:6379/0",
    }
    command = [sys.executable, "-m", "celery", "-A", "probe", *flags, "report"]
    done = subprocess.run(
        command, cwd=tmp_path, env=environ, capture_output=True, text=True, check=True, timeout=60
    )
    assert f"broker {broker} results redis://results:6379/0" in done.stdout


# --- What Celery gets


def test_celery_takes_the_whole_configuration(app: Flask) -> None:
    """Warnings are errors, so a deprecated key would end this."""
    config = load(app).celery_config()
    assert set(config) <= SETTING_KEYS
    celery = celery_app(load(app))
    assert celery.conf.humanize()
    assert not celery.conf.maybe_warn_deprecated_settings()
    assert list(celery.amqp.queues) == ["critical", "default", "low"]
    assert list(celery.amqp.queues.consume_from) == ["critical", "default", "low"]
    assert celery.amqp.default_queue.name == "default"
    assert celery.connection_for_write().info()["hostname"] == "localhost"
    assert celery.backend.as_uri() == "redis://localhost:6379/0"


def test_defaults(app: Flask) -> None:
    config = load(app).celery_config()
    queues = config.pop("task_queues")
    assert [(queue.name, queue.exchange.name, queue.routing_key) for queue in queues] == [
        (name, name, name) for name in ("critical", "default", "low")
    ]
    assert config == {
        "broker_url": LOCAL,
        "result_backend": LOCAL,
        "result_expires": 3600,
        "result_chord_expires": 1800 + DAY,
        "task_acks_late": True,
        "task_reject_on_worker_lost": True,
        "worker_log_format": f"{DEFAULT_PROCESS_LOG_FMT}%(flaskiq_outcome)s%(flaskiq_tenant)s",
        "worker_task_log_format": f"{DEFAULT_TASK_LOG_FMT}%(flaskiq_outcome)s%(flaskiq_tenant)s",
        "task_soft_time_limit": 1500,
        "task_time_limit": 1800,
        "task_ignore_result": False,
        "task_track_started": True,
        "task_serializer": "json",
        "result_serializer": "json",
        "accept_content": ("json",),
        "result_accept_content": ("json",),
        "task_send_sent_event": False,
        "task_default_queue": "default",
        "worker_send_task_events": False,
        "worker_disable_rate_limits": False,
        "worker_hijack_root_logger": True,
        "worker_log_color": True,
        "worker_max_tasks_per_child": 1000,
        "worker_prefetch_multiplier": 1,
        "worker_disable_prefetch": True,
        "beat_scheduler": "flaskiq.cron.scheduler:FlaskiqScheduler",
        "broker_transport_options": {
            "queue_order_strategy": "priority",
            "socket_timeout": 30,
            "socket_keepalive": True,
            "queue_weights": {},
            "heartbeat_ttl": 15,
            "shutdown_timeout": 25,
            "threads": 1,
            "dead_jobs": 10_000,
            "dead_age": 15_552_000,
            "history_jobs": 1_000,
            "history_age": 86_400,
        },
        "broker_connection_retry_on_startup": True,
        "broker_connection_max_retries": None,
        "broker_channel_error_retry": True,
        "timezone": "UTC",
        "enable_utc": True,
    }


def test_celery_dict_wins_over_the_defaults(app: Flask) -> None:
    given = {
        "task_acks_late": False,
        "task_default_queue": "low",
        "timezone": ZoneInfo("Asia/Tokyo"),
        "worker_max_tasks_per_child": None,
        "broker_transport_options": {"socket_timeout": 5, "queue_order_strategy": "sorted"},
    }
    config = load(app, CELERY=given).celery_config()
    options = config["broker_transport_options"]
    assert options == {
        "socket_timeout": 5,
        "queue_order_strategy": "sorted",
        "socket_keepalive": True,
        "queue_weights": {},
        "heartbeat_ttl": 15,
        "shutdown_timeout": 25,
        "threads": 1,
        "dead_jobs": 10_000,
        "dead_age": 15_552_000,
        "history_jobs": 1_000,
        "history_age": 86_400,
    }
    given.pop("broker_transport_options")
    assert {key: config[key] for key in given} == given


@pytest.mark.parametrize(
    ("environ", "given", "disabled"),
    [
        ({}, {}, True),
        ({"CELERY_WORKER_PREFETCH_MULTIPLIER": "1"}, {}, True),
        ({"CELERY_WORKER_PREFETCH_MULTIPLIER": "2"}, {}, False),
        ({"CELERY_WORKER_PREFETCH_MULTIPLIER": "0"}, {}, False),
        ({}, {"worker_prefetch_multiplier": 4}, False),
        ({}, {"worker_prefetch_multiplier": 4, "worker_disable_prefetch": True}, True),
        ({}, {"worker_disable_prefetch": False}, False),
    ],
)
def test_a_prefetch_multiplier_turns_prefetch_on(
    app: Flask, environ: dict[str, str], given: dict[str, Any], disabled: bool
) -> None:
    config = load(app, environ, CELERY=given).celery_config()
    assert config["worker_disable_prefetch"] is disabled


def test_a_colour_may_be_left_to_celery(app: Flask) -> None:
    assert load(app, CELERY={"worker_log_color": None})["CELERY_WORKER_LOG_COLOR"] is None


@pytest.mark.parametrize(
    "given", ["--without-gossip -n 'a b@%h'", ["--without-gossip", "-n", "a b@%h"]]
)
def test_options_are_read_as_a_shell_reads_them(app: Flask, given: Any) -> None:
    words = load(app, CELERY_WORKER_OPTS=given)["CELERY_WORKER_OPTS"]
    assert words == ("--without-gossip", "-n", "a b@%h")


def test_development_sends_events(app: Flask) -> None:
    app.debug = True
    assert load(app).env == "development"
    assert load(app, {"FLASKIQ_ENV": "production"}).env == "production"
    config = load(app, {"CELERY_TASK_SEND_SENT_EVENT": "false"}).celery_config()
    assert config["worker_send_task_events"] is True
    assert config["task_send_sent_event"] is False


@pytest.mark.parametrize(
    ("given", "soft", "hard"),
    [
        ({"task_time_limit": 600}, 500, 600),
        ({"task_soft_time_limit": 3000}, 3000, 3600),
        ({"task_soft_time_limit": 60}, 60, 1800),
        ({"task_time_limit": 7200}, 1500, 7200),
        ({"task_time_limit": 0}, None, None),
        ({"task_time_limit": None}, None, None),
        ({"task_soft_time_limit": 0}, None, 1800),
        ({"task_time_limit": 60, "task_soft_time_limit": 60}, 60, 60),
    ],
)
def test_the_limit_that_is_not_set_follows_the_other(
    app: Flask, given: dict[str, Any], soft: float | None, hard: float | None
) -> None:
    config = load(app, CELERY=given).celery_config()
    assert (config["task_soft_time_limit"], config["task_time_limit"]) == (soft, hard)


def test_soft_limit_above_the_hard_one_is_refused(app: Flask) -> None:
    environ = {"CELERY_TASK_SOFT_TIME_LIMIT": "61", "CELERY_TASK_TIME_LIMIT": "60"}
    with pytest.raises(SettingError, match="SOFT_TIME_LIMIT=61 is above CELERY_TASK_TIME_LIMIT=60"):
        load(app, environ)


@pytest.mark.parametrize(
    ("given", "chord"),
    [
        ({"task_time_limit": 7200}, 7200 + DAY),
        ({"result_expires": 30 * DAY}, 30 * DAY),
        ({"result_expires": timedelta(days=9)}, 9 * DAY),
        ({"result_expires": None}, None),
        ({"task_time_limit": None}, 2 * DAY),
        ({"result_chord_expires": 5000}, 5000),
    ],
)
def test_chord_counters_outlive_their_parts(
    app: Flask, given: dict[str, Any], chord: float | None, caplog: pytest.LogCaptureFixture
) -> None:
    assert load(app, CELERY=given).celery_config()["result_chord_expires"] == chord
    assert caplog.messages == []


def test_results_for_ever_have_no_expiry_in_celery(app: Flask) -> None:
    backend = celery_app(load(app, {"CELERY_RESULT_EXPIRES": "0"})).backend
    assert backend.expires is None
    assert not backend.chord_expires


def test_a_chord_expiry_below_the_hard_limit_is_obeyed_and_warned_about(
    app: Flask, caplog: pytest.LogCaptureFixture
) -> None:
    config = load(app, CELERY={"result_chord_expires": 1799}).celery_config()
    assert config["result_chord_expires"] == 1799
    (message,) = caplog.messages
    assert "is below task_time_limit=1800" in message


@pytest.mark.parametrize("value", ["", "disabled://", "disabled"])
def test_results_can_be_off(app: Flask, value: str) -> None:
    settings = load(app, {"CELERY_RESULT_BACKEND": value})
    assert settings.sources["CELERY_RESULT_BACKEND"] == "environment"
    assert not settings.keeps_results
    assert type(celery_app(settings).backend).__name__ == "DisabledBackend"
    assert not load(app, CELERY={"result_backend": None}).keeps_results
    assert load(app, CELERY={}).keeps_results


QUEUE_FORMS: dict[str, Any] = {
    "dict": {
        "critical": {"exchange": "critical", "routing_key": "critical"},
        "default": {},
        "bulk": None,
    },
    "dict of Queues": {name: Queue(name) for name in ("critical", "default", "bulk")},
    "Queues": [Queue(name, Exchange(name), name) for name in ("critical", "default", "bulk")],
    "names": ["critical", "default", "bulk"],
    "text": "critical, default, bulk",
}


@pytest.mark.parametrize("form", QUEUE_FORMS)
def test_task_queues_in_any_form(app: Flask, form: str) -> None:
    settings = load(app, CELERY={"task_queues": QUEUE_FORMS[form]})
    assert settings.queues == ("critical", "default", "bulk")
    assert settings.sources["FLASKIQ_QUEUES"] == "Flask config"
    assert list(celery_app(settings).amqp.queues) == ["critical", "default", "bulk"]


def test_options_of_a_queue_are_kept(app: Flask) -> None:
    given = {"mail": {"exchange": "post", "routing_key": "post.mail"}}
    settings = load(app, CELERY={"task_queues": given})
    queue = celery_app(settings).amqp.queues["mail"]
    assert (queue.exchange.name, queue.routing_key) == ("post", "post.mail")
    assert celery_app(settings).conf.task_default_queue == "mail"


def test_queues_named_in_two_places_are_refused(app: Flask) -> None:
    with pytest.raises(SettingError, match=r"FLASKIQ_QUEUES=mail contradicts.*has low"):
        load(app, {"FLASKIQ_QUEUES": "mail"}, CELERY={"task_queues": ["low"]})


def test_tls_is_verified_unless_the_url_says_otherwise(app: Flask) -> None:
    def seen(query: str) -> tuple[Any, Any]:
        settings = load(app, {"CELERY_BROKER_URL": f"rediss://h:6380/0{query}"})
        celery = celery_app(settings)
        return celery.connection_for_write().ssl, celery.backend.connparams["ssl_cert_reqs"]

    assert seen("") == ({"ssl_cert_reqs": CERT_REQUIRED}, CERT_REQUIRED)
    assert seen("?ssl_cert_reqs=none") == ({"ssl_cert_reqs": CERT_NONE}, CERT_NONE)
    assert seen("?ssl_ca_certs=/ca")[1] == CERT_REQUIRED


@pytest.mark.parametrize(
    "url",
    [
        "redis://",
        "redis://:p%40ss@[::1]:6379/15",
        "rediss://user:pw@redis.internal:6380/1?ssl_cert_reqs=required",
        "redis+socket:///run/redis.sock?virtual_host=1",
        "sentinel://:a@one:26379;sentinel://:a@two:26379/0",
    ],
)
def test_every_redis_url_is_accepted(app: Flask, url: str) -> None:
    assert load(app, {"CELERY_BROKER_URL": url}).broker_url == url


def test_broker_may_be_a_list_of_urls(app: Flask) -> None:
    given = {"broker_url": ["sentinel://one:26379", "sentinel://two:26379"]}
    assert load(app, CELERY=given).broker_url == "sentinel://one:26379;sentinel://two:26379"


# --- Nothing secret in output


@pytest.mark.parametrize(
    ("url", "masked"),
    [
        (LOCAL, LOCAL),
        ("redis://:s3cret@h:6379/2", "redis://:***@h:6379/2"),
        ("rediss://app:s3cret@h:6380/2?db=1", "rediss://app:***@h:6380/2?db=1"),
        ("redis://s3cret@h", "redis://***@h"),
        ("redis://:s3cret@[::1]:6379/0", "redis://:***@[::1]:6379/0"),
        (
            "sentinel://:s3cret@a:1;sentinel://:s3cret@b:2",
            "sentinel://:***@a:1;sentinel://:***@b:2",
        ),
        ("sentinel://:s3cret@a:1;b:2", "sentinel://:***@a:1;b:2"),
        ("redis+socket:///run/redis.sock", "redis+socket:///run/redis.sock"),
        ("redis+socket://:s3cret@/run/r.sock?db=2", "redis+socket://:***@/run/r.sock?db=2"),
        ("redis://h/0?password=s3cret&ssl=1", "redis://h/0?password=***&ssl=1"),
        ("redis://h/0?ssl=1&sslPassword=s3cret", "redis://h/0?ssl=1&sslPassword=***"),
        ("sentinel://h?sentinel_kwargs={s3}&db=1", "sentinel://h?sentinel_kwargs=***&db=1"),
        ("redis://h/0?credential=s3cret", "redis://h/0?credential=***"),
        ("redis://h/0?mail=a@b", "redis://h/0?mail=a@b"),
        ("db+postgresql://u:s3cret@h/db", "db+postgresql://u:***@h/db"),
        # Not percent-encoded, as people write them.
        ("redis://:s3@cret@h:6379/0", "redis://:***@h:6379/0"),
        ("redis://:s3/s3cret@h:6379/0", "redis://:***@h:6379/0"),
        ("redis://:s3?s3cret@h:6379/0", "redis://:***@h:6379/0"),
        ("redis://:s3#s3cret@h:6379/0", "redis://:***@h:6379/0"),
        ("redis://:s3;s3cret@h:6379/0", "redis://:***@h:6379/0"),
        (":s3cret@h:6379", ":***@h:6379"),
        ("disabled://", "disabled://"),
        ("", ""),
    ],
)
def test_mask_url(url: str, masked: str) -> None:
    assert mask_url(url) == masked
    assert mask_url(mask_url(url)) == mask_url(url)


def test_repr_shows_no_password(app: Flask) -> None:
    settings = load(app, {"CELERY_BROKER_URL": "redis://:hush@h:6379/0"})
    assert repr(settings) == "<Settings production redis://:***@h:6379/0>"


def test_logger_is_flaskiq_s(app: Flask, caplog: pytest.LogCaptureFixture) -> None:
    load(app, {"FLASKIQ_NEW": "1"})
    assert [record.name.split(".")[0] for record in caplog.records] == ["flaskiq"]
    assert caplog.records[0].levelno == logging.WARNING
