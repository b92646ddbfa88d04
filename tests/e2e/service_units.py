"""The privileges of the units in systemd/, given to daemons that no systemd starts.

The values come from the unit files themselves, so that a unit which takes away what its daemon needs fails a test.
"""

import os
import re

SYSTEMD = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", "..", "systemd"))
UNITS = {"maildirsync-agent": "maildirsync-agent.service.in", "maildirsyncd": "maildirsyncd.service.in"}
# Ids that no passwd knows: the service users are made by packages.
USERS = {"maildirsync-agent": 64901, "maildirsyncd": 64902}


# The environment names a file of systemd/examples that its unit has as a drop-in.
DROP_IN = "MAILDIRSYNC_E2E_DROP_IN"


def settings(executable: str) -> dict[str, list[str]]:
    """The unit's lines by key, in their order, and then those of its drop-in."""
    found: dict[str, list[str]] = {}
    paths = [UNITS[executable]]
    drop_in = os.environ.get(DROP_IN, "")
    if drop_in.startswith(executable + "-"):
        paths.append(os.path.join("examples", drop_in))
    for path in paths:
        with open(os.path.join(SYSTEMD, path), encoding="utf-8") as file:
            for key, value in re.findall(r"^([A-Za-z]+)=(.*)$", file.read(), re.MULTILINE):
                found.setdefault(key, []).append(value)
    return found


def setting(executable: str, key: str, default: str = "") -> str:
    return settings(executable).get(key, [default])[-1]


def capabilities(executable: str, key: str = "AmbientCapabilities") -> list[str]:
    words = " ".join(settings(executable).get(key, [])).split()
    return [word.removeprefix("CAP_").lower() for word in words]


def privileges(executable: str) -> list[str]:
    """A command that becomes the service user with the unit's capabilities and umask, and no others."""
    user = str(USERS[executable])
    bounding, ambient = (
        ",".join(["-all"] + [f"+{word}" for word in capabilities(executable, key)]) for key in ("CapabilityBoundingSet", "AmbientCapabilities")
    )
    command = ["sh", "-c", f'umask {setting(executable, "UMask", "0022")}; exec "$@"', "sh"]
    command += ["setpriv", "--pdeathsig", "KILL", "--reuid", user, "--regid", user, "--clear-groups"]
    if setting(executable, "NoNewPrivileges") == "yes":
        command += ["--no-new-privs"]
    return [*command, "--bounding-set", bounding, "--inh-caps", ambient, "--ambient-caps", ambient]


def run_as_service_user(daemon) -> None:
    """From its next start on, the daemon has its unit's user, capabilities and umask. Its own directories become that
    user's; configuration and key stay root's, as in /etc/maildirsync."""
    user = USERS[daemon.executable]
    os.makedirs(daemon.state_dir, exist_ok=True)
    for path in (daemon.directory, daemon.state_dir):
        os.chown(path, user, user)
    for name in os.listdir(daemon.state_dir):
        os.chown(os.path.join(daemon.state_dir, name), user, user)
    daemon.prefix = privileges(daemon.executable)


def check_privileges(daemon) -> None:
    """The running daemon has the unit's capabilities and no others; else says which."""
    with open(f"/proc/{daemon.process.pid}/status", encoding="ascii") as file:
        status = dict(re.findall(r"^(\w+):\s*(.*)$", file.read(), re.MULTILINE))
    wanted = sum(1 << NUMBERS[word] for word in capabilities(daemon.executable))
    for key in ("CapEff", "CapPrm", "CapBnd", "CapInh", "CapAmb"):
        if int(status[key], 16) != wanted:
            raise AssertionError(f"{daemon.name}: {key} is {status[key]}, not {wanted:016x}")
    if status["Uid"].split() != [str(USERS[daemon.executable])] * 4:
        raise AssertionError(f"{daemon.name} runs as {status['Uid']}")


NUMBERS = {"chown": 0, "dac_override": 1, "dac_read_search": 2, "fowner": 3, "fsetid": 4, "sys_admin": 21}  # linux/capability.h
