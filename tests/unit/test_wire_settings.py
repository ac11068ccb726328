"""Settings: where values come from, and what a wrong one says."""

from pathlib import Path
from typing import ClassVar

import pytest
from pydantic import Field, SecretStr

from wire.config_file import read_config, site_of
from wire.errors import SettingsError
from wire.process import exit_code
from wire.settings import KafkaSettings, RedisSettings, Settings


class OvenSettings(Settings):
    section: ClassVar[str] = "worker"

    heat_c: int = Field(default=180, ge=0, le=300)
    share: float = Field(default=0.5, ge=0, le=1)
    tray: str = "middle"
    password: SecretStr | None = None
    password_file: Path | None = None


@pytest.fixture
def config(tmp_path: Path) -> Path:
    return tmp_path / "climbtrack.yaml"


def test_without_anything_the_defaults_hold() -> None:
    assert OvenSettings.load() == OvenSettings(heat_c=180, tray="middle")


def test_arguments_win_over_environment_over_file_over_defaults(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config.write_text("worker: {heat_c: 100, tray: low}")
    assert OvenSettings.load(config).heat_c == 100

    monkeypatch.setenv("CLIMBTRACK_WORKER_HEAT_C", "120")
    assert OvenSettings.load(config) == OvenSettings(heat_c=120, tray="low")

    assert OvenSettings.load(config, heat_c=140, tray=None) == OvenSettings(heat_c=140, tray="low")


def test_plain_construction_reads_no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLIMBTRACK_WORKER_HEAT_C", "120")

    assert OvenSettings().heat_c == 180


def test_settings_cannot_be_changed() -> None:
    settings = OvenSettings()

    with pytest.raises(ValueError, match="frozen"):
        settings.heat_c = 1


@pytest.mark.parametrize(
    ("text", "words"),
    [
        pytest.param("worker: {heat: 100}", ["worker.heat = 100", "unknown", "heat_c, password"], id="unknown key"),
        pytest.param("worker: {heat_c: warm}", ["worker.heat_c = 'warm'", "integer"], id="wrong type"),
        pytest.param("worker: {heat_c: 500}", ["worker.heat_c = 500", "300"], id="out of range"),
        pytest.param("worker: {heat_c: 500, tray: 3}", ["worker.heat_c", "worker.tray"], id="two at once"),
        pytest.param("worker: 3", ["section worker", "mapping"], id="section is not a mapping"),
        pytest.param("worker: 0", ["section worker", "mapping"], id="section is nothing but false"),
        pytest.param(
            "worker: {heat_c: 1}\nworker: {}", ["line 2", "'worker'", "first used in line 1"], id="section twice"
        ),
        pytest.param("worker: {heat_c: 1, heat_c: 2}", ["duplicate key 'heat_c'"], id="key twice"),
        pytest.param("worker: {heat_c: .nan}", ["worker.heat_c = nan", "finite number"], id="no number"),
        pytest.param("worker: {share: .nan}", ["worker.share = nan", "finite number"], id="no number for a fraction"),
        pytest.param("worker: {share: -.inf}", ["worker.share = -inf", "finite number"], id="infinite"),
        pytest.param("worker: {share: '1e300'}", ["worker.share = '1e300'", "less than or equal to 1"], id="huge"),
        pytest.param("worker: {share: true}", ["worker.share = True", "should be a number"], id="truth for a fraction"),
        pytest.param("worker: {heat_c: yes}", ["worker.heat_c = True", "should be a number"], id="truth for a number"),
        pytest.param("worker: {heat_c: 10000000000000000000000}", ["worker.heat_c", "300"], id="a huge integer"),
        pytest.param(f"worker: {{heat_c: {'9' * 5000}}}", ["line 1, column 18", "invalid number"], id="endless digits"),
        pytest.param("worker: " + "[" * 3000, ["nested too deeply"], id="a deep nesting"),
        pytest.param('worker: {tray: "a\\u0000b"}', ["worker.tray", "control characters"], id="a control character"),
        pytest.param("worker: {tray: 26}", ["worker.tray = 26", "put it in quotes"], id="a number for text"),
        pytest.param("worker: {heat_c: 1:30}", ["worker.heat_c = '1:30'", "integer"], id="minutes for a number"),
        pytest.param("? [a, b]\n: 1", ["line 1"], id="a list as a key"),
        pytest.param("- worker", ["mapping of sections"], id="file is a list"),
        pytest.param(
            "wroker: {}", ["'wroker'", "did you mean worker?", "redis, site, tracing, worker"], id="unknown section"
        ),
        pytest.param("worker: {", ["not YAML"], id="broken file"),
        pytest.param("worker: {tray: a}}", ["line 1", "but found '}'"], id="a bracket too many"),
        pytest.param("worker: {tray: ${OVEN}}", ["expected ',' or '}', but got"], id="a variable of the shell"),
        pytest.param("worker: !!python/object:os.system {}", ["not YAML"], id="a Python object"),
    ],
)
def test_a_wrong_file_names_key_value_and_what_is_allowed(config: Path, text: str, words: list[str]) -> None:
    config.write_text(text)

    with pytest.raises(SettingsError) as caught:
        OvenSettings.load(config)

    assert all(word in str(caught.value) for word in words)


def test_a_value_that_refers_to_itself_a_billion_times_is_shown_short(config: Path) -> None:
    lines = ["a0: &a0 [x, x]", *(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 12))]
    config.write_text("kafka:\n  " + "\n  ".join(lines))

    with pytest.raises(SettingsError, match=r"kafka\.a11 = ") as caught:
        KafkaSettings.load(config)

    assert len(str(caught.value)) < 20_000


@pytest.mark.parametrize(
    ("data", "words"),
    [
        pytest.param("site: mall".encode("utf-16"), "save the file as UTF-8", id="UTF-16"),
        pytest.param(b"site: caf\xe9", "save the file as UTF-8", id="Latin-1"),
        pytest.param(b"site: a\x00b", "characters that YAML does not allow", id="a null byte"),
        pytest.param(b"#" * 5_000_000, "must not be larger", id="too large"),
    ],
)
def test_a_file_that_is_no_text_is_refused(config: Path, data: bytes, words: str) -> None:
    config.write_bytes(data)

    with pytest.raises(SettingsError, match=words):
        read_config(config)


def test_a_byte_order_mark_is_passed_over(config: Path) -> None:
    config.write_bytes("\ufeffsite: mall".encode())

    assert site_of(config) == "mall"


def test_keys_that_are_merged_in_may_be_overridden(config: Path) -> None:
    config.write_text("cameras: {a: &a {url: '0', loop: true}, b: {<<: *a, url: '1'}}")

    assert read_config(config)["cameras"]["b"] == {"url": "1", "loop": True}


@pytest.mark.parametrize("name", ["no", "on", "007", "1e3", "12:30", "2024-01-01", "1"])
def test_a_key_is_the_text_that_was_written(name: str, config: Path) -> None:
    config.write_text(f"cameras: {{a: &a {{{name}: x}}, b: {{<<: *a}}, {name}: y}}")

    assert read_config(config)["cameras"] == {"a": {name: "x"}, "b": {name: "x"}, name: "y"}


def test_a_tab_is_called_a_tab(config: Path) -> None:
    config.write_text("cameras:\n\tdoor: door.mp4\n")

    with pytest.raises(SettingsError, match="line 2: indented with a tab; use spaces"):
        read_config(config)


def test_a_folder_is_no_configuration(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="Is a directory"):
        read_config(tmp_path)


@pytest.mark.parametrize(
    "site", ["../mall", "a b", "''", "'{x}'", '"a\\nb"', "x" * 65, "3", "[a]"], ids=lambda site: site[:9]
)
def test_a_site_that_cannot_be_a_name_is_refused(config: Path, site: str) -> None:
    config.write_text(f"site: {site}")

    with pytest.raises(SettingsError, match="site"):
        site_of(config)


def test_a_missing_file_is_named(config: Path) -> None:
    with pytest.raises(SettingsError, match=r"climbtrack\.yaml: No such file"):
        OvenSettings.load(config)


@pytest.mark.parametrize("text", ["", "worker:", "# nothing"], ids=["empty", "empty section", "comment"])
def test_an_empty_file_or_section_changes_nothing(config: Path, text: str) -> None:
    config.write_text(text)

    assert OvenSettings.load(config) == OvenSettings()


def test_an_unknown_variable_of_the_section_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLIMBTRACK_WORKER_HAET_C", "120")

    with pytest.raises(
        SettingsError, match=r"CLIMBTRACK_WORKER_HAET_C = '120': unknown; did you mean heat_c[?] known names: heat_c"
    ):
        OvenSettings.load()


@pytest.mark.parametrize("name", ["CLIMBTRACK_WOKER_HEAT_C", "CLIMBTRACK_WORKERS_HEAT_C", "CLIMBTRACK_WORKERHEAT_C"])
def test_a_variable_of_a_misspelt_section_is_an_error(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv(name, "120")

    with pytest.raises(SettingsError, match=rf"{name} is of no section; did you mean CLIMBTRACK_WORKER_HEAT_C[?]"):
        OvenSettings.load()


def test_a_wrong_variable_names_the_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLIMBTRACK_WORKER_HEAT_C", "warm")

    with pytest.raises(SettingsError, match=r"worker\.heat_c = 'warm'"):
        OvenSettings.load()


def test_variables_of_other_sections_are_none_of_its_business(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLIMBTRACK_GALLERY_ANYTHING", "1")
    monkeypatch.setenv("CLIMBTRACK_MODELS", "somewhere")
    monkeypatch.setenv("CLIMBTRACK_CAMERA_PASSWORD", "hunter2")

    assert OvenSettings.load() == OvenSettings()


def test_a_secret_can_come_from_a_file(tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.write_text("hunter2\n")

    settings = OvenSettings.load(password_file=file)

    assert settings.password is not None
    assert settings.password.get_secret_value() == "hunter2"


def test_a_missing_secret_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"worker: password_file = .*/nowhere': No such file"):
        OvenSettings.load(password_file=tmp_path / "nowhere")


def test_a_secret_and_its_file_together_are_an_error(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="password and password_file are both given"):
        OvenSettings.load(password="hunter2", password_file=tmp_path / "password")


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("redis: {password: hunter2}", id="a secret"),
        pytest.param("redis: {url: 'redis://me:hunter2@host/0'}", id="a password in a URL"),
    ],
)
def test_no_secret_shows_in_a_repr(config: Path, text: str) -> None:
    config.write_text(text)

    settings = RedisSettings.load(config)

    assert "hunter2" not in repr(settings)
    assert "hunter2" not in str(settings)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("redis: {password: [hunter2]}", id="a secret of the wrong type"),
        pytest.param("redis: {passwort: hunter2}", id="a misspelt secret"),
        pytest.param("redis: {url: 'http://me:hunter2@host/0'}", id="a password in a wrong URL"),
    ],
)
def test_no_secret_shows_in_an_error(config: Path, text: str) -> None:
    config.write_text(text)

    with pytest.raises(SettingsError) as caught:
        RedisSettings.load(config)

    assert "hunter2" not in str(caught.value)


def test_a_certificate_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"kafka\.ssl_ca_file = .*nowhere\.pem"):
        KafkaSettings.load(ssl_ca_file=tmp_path / "nowhere.pem")


def test_the_other_sections_of_the_file_can_be_read(config: Path) -> None:
    config.write_text("site: home\ncameras: {door: door.mp4}")

    assert read_config(config) == {"site": "home", "cameras": {"door": "door.mp4"}}


def test_a_wrong_setting_ends_a_command_with_exit_code_2(capsys: pytest.CaptureFixture[str]) -> None:
    assert exit_code(lambda: OvenSettings.load(heat_c=-1).heat_c) == 2
    assert "worker.heat_c = -1" in capsys.readouterr().err
