"""Settings: flags, then the environment, then files; and where the store is."""

import os

import pytest

from flowkit.config import Settings, adopt, load_settings, settings_for, store_settings
from flowkit.exceptions import StorageError, UnknownUser, UsageError


@pytest.fixture(autouse=True)
def _clean(monkeypatch, tmp_path):
    """No setting from outside: an empty environment, home and working directory."""
    for name in list(os.environ):
        if name.startswith(("FLOWKIT_", "XDG_")) or name in ("SUDO_USER", "USERNAME", "LOGNAME"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path / "person"))
    monkeypatch.setenv("USER", "ada")
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")


def test_the_defaults(tmp_path):
    settings = load_settings()

    home = str(tmp_path / "work" / ".flowkit")
    assert settings == Settings(home=home, user="ada", namespace="user:ada")
    assert settings.metadata_url == f"sqlite:///{home}/flowkit.db"
    assert not (tmp_path / "work" / ".flowkit").exists()


def test_the_nearest_store_above_the_working_directory_is_taken(tmp_path, monkeypatch):
    (tmp_path / ".flowkit").mkdir()
    deep = tmp_path / "work" / "deep"
    deep.mkdir()
    monkeypatch.chdir(deep)

    assert load_settings().home == str(tmp_path / ".flowkit")
    (tmp_path / "work" / ".flowkit").mkdir()
    assert load_settings().home == str(tmp_path / "work" / ".flowkit")


@pytest.mark.parametrize("chosen", ["store", "store/.flowkit", "~/store", "./store/"])
def test_the_home_may_be_chosen(tmp_path, monkeypatch, chosen):
    monkeypatch.setenv("FLOWKIT_HOME", chosen)

    base = tmp_path / ("person" if chosen.startswith("~") else "work")
    assert load_settings().home == str(base / "store" / ".flowkit")


@pytest.mark.parametrize("name", ["store", ".flowkit"])
def test_a_home_that_is_a_file_is_refused(tmp_path, monkeypatch, name):
    (tmp_path / "work" / name).write_text("")
    if name == "store":
        monkeypatch.setenv("FLOWKIT_HOME", "store")

    with pytest.raises(StorageError, match=f"{name}: it is not a directory"):
        load_settings()


def test_a_flag_wins_over_the_environment_and_that_over_files(tmp_path, monkeypatch):
    person = tmp_path / "person" / ".config" / "flowkit"
    person.mkdir(parents=True)
    (person / "config.toml").write_text(
        'executor = "person"\nuser = "person"\ntempdir = "person"\n'
    )
    (tmp_path / "flowkit.toml").write_text('executor = "project"\nuser = "project"\n')
    monkeypatch.setenv("FLOWKIT_EXECUTOR", "environment")

    assert load_settings({"executor": "flag"}).executor == "flag"
    settings = load_settings({"executor": None})
    assert (settings.executor, settings.user, settings.tempdir) == (
        "environment",
        "project",
        "person",
    )


def test_a_profile_goes_before_the_top_level_of_its_file(tmp_path, monkeypatch):
    (tmp_path / "work" / "flowkit.toml").write_text(
        'datastore = "local"\nuser = "top"\n[profile.remote]\ndatastore = "s3://bucket/x"\n'
    )
    assert load_settings().datastore == "local"

    monkeypatch.setenv("FLOWKIT_PROFILE", "remote")
    settings = load_settings()
    assert (settings.datastore, settings.user) == ("s3://bucket/x", "top")

    monkeypatch.setenv("FLOWKIT_PROFILE", "nope")
    with pytest.raises(UsageError, match="there is no profile 'nope'"):
        load_settings()


def test_a_settings_file_that_can_not_be_read_is_named(tmp_path):
    (tmp_path / "work" / "flowkit.toml").write_text("no [toml")

    with pytest.raises(UsageError, match=r"settings file .*flowkit\.toml can't be read"):
        load_settings()


@pytest.mark.parametrize("variable", ["FLOWKIT_USER", "SUDO_USER", "USERNAME", "USER", "LOGNAME"])
def test_the_user_is_named_by_the_first_variable_that_is_set(monkeypatch, variable):
    monkeypatch.delenv("USER")
    monkeypatch.setenv(variable, "root")

    assert load_settings().user == "root"


def test_a_user_without_a_name_is_asked_to_give_one(monkeypatch):
    monkeypatch.delenv("USER")
    monkeypatch.setattr("os.getuid", lambda: 4_000_000_000)

    with pytest.raises(UnknownUser, match="could not determine your user name: set FLOWKIT_USER"):
        load_settings()


def test_an_empty_namespace_is_the_global_one(monkeypatch):
    monkeypatch.setenv("FLOWKIT_NAMESPACE", "")
    assert load_settings().namespace is None

    monkeypatch.setenv("FLOWKIT_NAMESPACE", "user:bob")
    assert load_settings().namespace == "user:bob"


def test_adopted_settings_hold_until_flags_are_given():
    adopt(Settings(home="/elsewhere/.flowkit", user="bob"))

    assert load_settings().home == "/elsewhere/.flowkit"
    assert load_settings({}).user == "ada"


def test_a_location_is_a_directory_or_a_url(tmp_path):
    other = tmp_path / "other"
    other.mkdir()
    home = str(other / ".flowkit")

    assert settings_for(str(other)).home == home
    assert settings_for(f"local@{other}").metadata_url == f"sqlite:///{home}/flowkit.db"
    by_url = settings_for(f"sqlite:///{home}/flowkit.db")
    assert (by_url.home, by_url.metadata) == (home, f"sqlite:///{home}/flowkit.db")
    assert settings_for("postgresql://host/x").metadata_url == "postgresql://host/x"
    with pytest.raises(UsageError, match="is no directory and no URL"):
        settings_for(str(tmp_path / "nope"))


def test_a_directory_names_a_store_of_its_own_whatever_is_configured(tmp_path, monkeypatch):
    monkeypatch.setenv("FLOWKIT_METADATA", "postgresql://db/x")
    monkeypatch.setenv("FLOWKIT_DATASTORE", "s3://bucket/x")
    (tmp_path / "there").mkdir()
    settings = store_settings(str(tmp_path / "there"))

    home = str(tmp_path / "there" / ".flowkit")
    assert (settings.home, settings.datastore) == (home, "local")
    assert settings.metadata_url == f"sqlite:///{home}/flowkit.db"


def test_a_profile_names_a_store_whatever_is_configured(tmp_path, monkeypatch):
    monkeypatch.setenv("FLOWKIT_METADATA", "postgresql://db/x")
    monkeypatch.setenv("FLOWKIT_S3_ENDPOINT_URL", "http://here")
    (tmp_path / "work" / "flowkit.toml").write_text(
        """
        [profile.team]
        metadata = "postgresql://ada:secret@db/team"
        datastore = "s3://bucket/team"
        home = "team"
        [profile.plain]
        """
    )
    team, plain = store_settings("@team"), store_settings("@plain")

    assert (team.metadata, team.datastore) == (
        "postgresql://ada:secret@db/team",
        "s3://bucket/team",
    )
    assert team.home == str(tmp_path / "work" / "team" / ".flowkit")
    assert team.s3_endpoint_url == "http://here"
    assert (plain.metadata, plain.datastore) == ("", "local")
    with pytest.raises(UsageError, match="no profile 'other'"):
        store_settings("@other")


@pytest.mark.parametrize("url", ["postgresql://db/x", "postgresql://one,two:5433/x"])
def test_a_metadata_url_names_a_store_perhaps_with_a_datastore(tmp_path, monkeypatch, url):
    monkeypatch.setenv("FLOWKIT_DATASTORE", "s3://bucket/x")
    alone = store_settings(url)
    distant = store_settings(f"{url},s3://bucket/y")
    local = store_settings(f"{url},{tmp_path}/blobs")

    assert (alone.metadata, alone.datastore) == (url, "s3://bucket/x")
    assert (distant.metadata, distant.datastore) == (url, "s3://bucket/y")
    assert distant.home == alone.home
    assert (local.metadata, local.datastore) == (url, "local")
    assert local.home == str(tmp_path / "blobs" / ".flowkit")
    assert store_settings(f"{url},local").datastore == "local"


def test_a_datastore_beside_the_default_metadata_leaves_these_where_they_are(tmp_path):
    url = load_settings().metadata_location
    found = store_settings(f"{url},{tmp_path}/blobs")

    assert found.metadata_url == url
    assert found.home == str(tmp_path / "blobs" / ".flowkit")
