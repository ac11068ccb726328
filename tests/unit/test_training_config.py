"""Settings of a run: files and overrides, error messages, and former names."""

from pathlib import Path

import pytest
import yaml

from training.config import ConfigError, TrainConfig, changed, load_config
from training.config.renamed import RENAMED
from training.schedule import rate_at

CONFIGS = sorted((Path(__file__).parents[2] / "training" / "configs").glob("*.yaml"))


def test_overrides_come_after_the_file_and_take_the_type_of_their_key(tmp_path: Path) -> None:
    path = tmp_path / "run.yaml"
    path.write_text("schedule: {steps: 7}\noptimiser:\n  learning_rate: 1e-3\nrun: {output: here}\n")
    config = load_config(path, ["schedule.steps=9", "schedule.minutes=1e-1", "losses.memories=[hard]"])
    assert (config.schedule.steps, config.optimiser.learning_rate, config.schedule.minutes) == (9, 1e-3, 0.1)
    assert (config.run.output, config.losses.memories) == (Path("here"), ("hard",))


def test_a_whole_group_may_be_given_at_once() -> None:
    config = load_config(None, ["schedule={steps: 5, early_frames: 2}"])
    assert (config.schedule.steps, config.schedule.early_frames) == (5, 2)


def test_an_empty_value_resets_a_setting(tmp_path: Path) -> None:
    path = tmp_path / "run.yaml"
    path.write_text("network: {model: climb-base, clip: openai}\n")
    assert load_config(path, ["network.clip="]).network.clip is None


@pytest.mark.parametrize(
    ("override", "complaint"),
    [
        ("speed=3", r"unknown key 'speed'; known keys: run\.…, network\.…"),
        ("run.wheels=3", r"unknown key 'run\.wheels'; known keys: run\.output, "),
        ("optimiser.learning_rat=3", r"did you mean optimiser\.learning_rate"),
        ("schedule.steps", r"'schedule\.steps' must be group\.key=value"),
        ("schedule.steps=many", r"schedule\.steps is 'many', must be a valid integer"),
        ("schedule.steps=0", r"schedule\.steps is 0, must be at least 1"),
        ("schedule.steps=1.5", r"schedule\.steps is 1\.5, must be a valid integer"),
        ("schedule.steps=1:30", r"schedule\.steps is '1:30', must be a valid integer"),
        ("schedule.steps=true", r"schedule\.steps is True, must be a number"),
        ("schedule.minutes=.nan", r"schedule\.minutes is nan, must be a finite number"),
        ("optimiser.learning_rate=1e400", r"optimiser\.learning_rate is '1e400', must be a finite number"),
        ("optimiser.learning_rate=-1", r"optimiser\.learning_rate is -1, must be at least 0"),
        ("schedule.steps=[1", r"schedule\.steps is '\[1', which cannot be read"),
        ("run.seed=-1", r"run\.seed is -1, must be at least 0"),
        ("run.resume=1", r"run\.resume is 1, must be a valid boolean"),
        ("run.workers=-1", r"run\.workers is -1, must be at least 0"),
        ("run.output=3", r"run\.output is 3, "),
        (
            "network.model=vgg",
            r"network\.model is 'vgg', must be 'climb-tiny', 'climb-tiny-4', 'climb-tiny-64' or 'climb-base'",
        ),
        ("network.strides=[9]", r"network\.strides is \[9\] and network\.frames 0: "),
        ("synthetic.crops=stale", r"synthetic\.crops is 'stale', must be 'cached' or 'fresh'"),
        ("batch.tracklets=1", r"batch\.tracklets is 1, must be at least 2"),
        ("batch.identities=5000", r"batch\.identities is 5000, must be at most synthetic\.train_identities, 2000"),
        ("schedule.warmup=2", r"schedule\.warmup is 2, must be at most 1"),
        ("schedule.early_frames=9", "at most 8"),
        ("synthetic.frames=9", "at most 8"),
        ("schedule.encoder_until=-1", r"schedule\.encoder_until is -1, must be at least 0"),
        ("schedule.patch_dropout=0.9", r"schedule\.patch_dropout is 0\.9, must be at most 0\.75"),
        ("schedule.milestones=[0.8, 0.5]", "must increase between 0 and 1"),
        ("losses.memories=[mean, best]", r"losses\.memories is 'best', must be 'mean', 'hard' or 'random'"),
        ("losses.memories=[]", r"losses\.memories is \[\], "),
        ("losses=3", r"losses is 3, but it is a group: give losses\.mmc, "),
        ("data.layout=mars", r"data\.folder is missing: give the folder of the data set in the layout mars"),
        ("data.folder=somewhere", r"data\.layout is missing: give the layout of somewhere"),
    ],
)
def test_a_bad_override_names_key_and_value(override: str, complaint: str) -> None:
    with pytest.raises(ConfigError, match=complaint):
        load_config(None, [override])


@pytest.mark.parametrize("old", RENAMED)
def test_a_former_name_is_answered_with_the_new_one(old: str) -> None:
    group, _, key = RENAMED[old].partition(".")
    assert hasattr(getattr(TrainConfig(), group), key)
    with pytest.raises(ConfigError, match=f"`{old}` is now `{group}.{key}`"):
        load_config(None, [f"{old}=1"])


def test_an_older_recipe_is_answered_with_all_new_names_at_once(tmp_path: Path) -> None:
    path = tmp_path / "old.yaml"
    path.write_text("lr: 1e-3\nsteps: 5\nschedule: cosine\n")
    with pytest.raises(ConfigError) as refused:
        load_config(path)
    for words in ("`lr` is now `optimiser.learning_rate`", "`steps` is now `schedule.steps`", "`schedule.decay`"):
        assert words in str(refused.value)


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"", "must contain groups"),
        (b"- 1\n", "must contain groups"),
        (b"run: [", "cannot be read"),
        (b"run: \xff\xfe", "cannot be read: not YAML: byte 5 is not UTF-8"),
        (b"run: " + b"[" * 3000, "cannot be read: lists or mappings are nested too deeply"),
        (
            b"run: {seed: 1}\nschedule: {steps: 3}\nrun: {output: b}",
            "cannot be read: line 3: duplicate key 'run', first",
        ),
        (b"schedule: {steps: 3, steps: 4}", "cannot be read: line 1: duplicate key 'steps'"),
        (b"#" * 4_000_001, "cannot be read: must not be larger than 4000000 bytes"),
    ],
    ids=["empty", "list", "broken", "binary", "deep", "a group twice", "a key twice", "endless"],
)
def test_a_file_that_is_not_a_recipe_is_named(content: bytes, complaint: str, tmp_path: Path) -> None:
    (tmp_path / "run.yaml").write_bytes(content)
    with pytest.raises(ConfigError, match=rf"run\.yaml {complaint}"):
        load_config(tmp_path / "run.yaml")


def test_a_number_with_zeros_in_front_is_decimal() -> None:
    assert load_config(None, ["run.seed=0123"]).run.seed == 123


def test_a_value_that_refers_to_itself_a_billion_times_is_shown_short(tmp_path: Path) -> None:
    lines = ["a0: &a0 [x, x]", *(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 12))]
    (tmp_path / "run.yaml").write_text("\n".join([*lines, "schedule: {steps: *a11}", "losses: *a11"]))
    with pytest.raises(ConfigError) as refused:
        load_config(tmp_path / "run.yaml")
    assert len(str(refused.value)) < 20_000


def test_a_missing_file_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"absent\.yaml cannot be read"):
        load_config(tmp_path / "absent.yaml")


def test_a_byte_order_mark_is_ignored(tmp_path: Path) -> None:
    (tmp_path / "run.yaml").write_bytes(b"\xef\xbb\xbfschedule: {steps: 3}\n")
    assert load_config(tmp_path / "run.yaml").schedule.steps == 3


def test_changes_are_checked_like_a_file() -> None:
    config = changed(TrainConfig(), {"schedule.steps": 3, "run.output": Path("here")})
    assert (config.schedule.steps, config.run.output) == (3, Path("here"))
    with pytest.raises(ConfigError, match=r"batch\.frames 9"):
        changed(config, {"batch.frames": 9})


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_every_shipped_recipe_loads_and_is_short(path: Path) -> None:
    on_data = "layout" in yaml.safe_load(path.read_text()).get("data", {})
    config = load_config(path, ["data.folder=somewhere"] if on_data else [])
    assert (config.data.folder is not None) == on_data
    assert len(path.read_text().splitlines()) <= 30


def test_images_make_a_network_of_one_frame_without_a_layer_after_its_head() -> None:
    one = ["network.frames=1", "synthetic.frames=1", "batch.frames=1", "schedule.early_frames=1"]
    architecture = load_config(None, one).network.architecture
    assert (architecture.frames, architecture.strides, architecture.project) == (1, (1,), False)


def test_the_learning_rate_rises_and_falls_as_published() -> None:
    steps = ["schedule.decay=milestones", "schedule.milestones=[0.5, 0.75]"]
    published = load_config(None, [*steps, "schedule.warmup=0.25", "schedule.warmup_start=0.1"]).schedule
    found = [rate_at(published, progress) for progress in (0.0, 0.125, 0.25, 0.5, 0.8)]
    assert found == pytest.approx([0.1, 0.55, 1.0, 0.1, 0.01], rel=1e-2)
    cosine = load_config(None, ["schedule.warmup=0.1"]).schedule
    assert [rate_at(cosine, p) for p in (0.05, 0.1, 0.55, 1.0)] == pytest.approx([0.5, 1.0, 0.5, 0.0])
