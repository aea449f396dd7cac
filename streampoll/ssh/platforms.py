"""The kinds of devices, by their names in ntc-templates: how their shells page, complain and are privileged.

A prompt is learned from each device (prompt.py); what stands here is only what can't be learned. Lines that turn paging
off and set the width change the session alone, never the device's configuration; where a platform has no such line
(Fortinet) its pager is answered instead.
"""

from dataclasses import dataclass
from typing import Final

from streampoll.ssh.plan import Channel

PAGERS: Final = (
    r"-{2,}\s?\(?\s?[Mm][Oo][Rr][Ee]\b.{0,40}",  # --More--, ---- More ----, ---(more 12%)---, -- MORE --, next page: …
    r"<-+\s?[Mm]ore\s?-+>",
    r"(?:[Pp]ress|[Hh]it) (?:any key|<?(?:SPACE|ENTER|[Rr]eturn|[Ss]pace)>?)\b.{0,60}",
    r"lines \d+-\d+(?: \(END\))?",
)

_CISCO_ERRORS: Final = (r"^% ?(?![A-Z0-9_]+-\d-)\S", r"^(?:Command )?[Aa]uthorization failed", r"^ERROR: ")
_COMWARE_ERRORS: Final = (r"^\s*% ?(?:Unrecognized|Incomplete|Ambiguous|Wrong|Too many)", r"^\s*Error: ?")
_FASTIRON_ERRORS: Final = (r"^(?:Invalid|Incomplete|Ambiguous|Unrecognized) ", r"^Error - ")
_UNIX_ERRORS: Final = (r"(?:^|: )(?:command )?not found\b", r"^Invalid command", r"^(?:Permission|Access) denied")

_PIPES: Final = ("include", "exclude", "begin", "section", "count", "grep", "egrep", "no-more", "match", "except")
_SHOW: Final = ("show",)


@dataclass(frozen=True, slots=True)
class Platform:
    """What has to be known of one kind of device."""

    name: str
    reads: tuple[str, ...] = _SHOW  # first words of the commands that change nothing, whatever follows them
    exactly: tuple[str, ...] = ()  # commands that change nothing as they stand here, and may with arguments
    channel: Channel = Channel.SHELL
    setup: tuple[str, ...] = ()  # typed once a shell: width, paging off
    errors: tuple[str, ...] = _CISCO_ERRORS  # a line among the first of an output that matches is a refusal
    enable: str = ""  # the command of privileged mode; "": there is none
    pipes: tuple[str, ...] = _PIPES  # filters that may follow a "|"
    noise: str = ""  # lines that stand around output and are none of it
    newline: str = "\n"
    user_suffix: str = ""  # what a login's name carries to switch colours and paging off


def _platforms(*platforms: Platform) -> dict[str, Platform]:
    return {platform.name: platform for platform in platforms}


_IOS_SETUP: Final = ("terminal width 511", "terminal length 0")

PLATFORMS: Final = _platforms(
    Platform("alcatel_sros", setup=("environment no more",), errors=(r"^(?:Error|MINOR|MAJOR|CRITICAL): ",)),
    Platform("allied_telesis_awplus", setup=("terminal length 0",), enable="enable"),
    Platform("arista_eos", ("show", "dir"), setup=_IOS_SETUP, enable="enable", pipes=(*_PIPES, "json")),
    Platform("aruba_aoscx", setup=("no page",), errors=(*_CISCO_ERRORS, r"^Invalid input")),
    Platform("aruba_os", setup=("no paging",), enable="enable"),
    Platform("brocade_fastiron", setup=("skip-page-display",), enable="enable", errors=_FASTIRON_ERRORS),
    Platform("brocade_netiron", setup=("terminal length 0",), enable="enable", errors=_FASTIRON_ERRORS),
    Platform("checkpoint_gaia", setup=("set clienv rows 0",), errors=(r"^CLINFR\d+",)),
    Platform("ciena_saos", ("show", "port show", "system show", "chassis show", "alarm show", "software show"),
             pipes=("grep", "include"),
             setup=("system shell session set more off",), errors=(r"^SHELL PARSER FAILURE", r"^ERROR")),
    Platform("cisco_asa", setup=("terminal pager 0",), enable="enable"),
    Platform("cisco_ios", ("show", "dir"), setup=_IOS_SETUP, enable="enable"),
    Platform("cisco_nxos", ("show", "dir"), setup=_IOS_SETUP, pipes=(*_PIPES, "json", "json-pretty", "xml", "last")),
    Platform("cisco_s300", setup=("terminal width 511", "terminal datadump")),
    Platform("cisco_wlc_ssh", setup=("config paging disable",), errors=(r"^Incorrect (?:usage|input)", r"^HELP:")),
    Platform("cisco_xr", ("show", "dir"), setup=_IOS_SETUP),
    Platform("dell_force10", setup=("terminal length 0",), enable="enable"),
    Platform("dell_powerconnect", setup=("terminal length 0",), enable="enable"),
    Platform("eltex", setup=("terminal datadump",), enable="enable"),
    Platform("extreme_exos", setup=("disable clipaging",), errors=(r"^%% ", r"^Error: ")),
    Platform("extreme_slxos", setup=("terminal length 0",), errors=(*_CISCO_ERRORS, r"^-+\^", r"^syntax error")),
    Platform("fortinet", ("get", "show", "diagnose hardware sysinfo", "diagnose sys session stat"), pipes=("grep",),
             errors=(r"^Command fail\.", r"^(?:Unknown action|command parse error)")),
    Platform("hp_comware", ("display", "dir"), setup=("screen-length disable",), errors=_COMWARE_ERRORS),
    Platform("hp_procurve", setup=("terminal width 511", "no page"), enable="enable",
             errors=(r"^(?:Invalid|Ambiguous|Incomplete) input:",)),
    Platform("huawei_vrp", ("display", "dir"), setup=("screen-length 0 temporary",), errors=_COMWARE_ERRORS),
    Platform("juniper_junos", setup=("set cli screen-width 511", "set cli screen-length 0"),
             errors=(r"^\s*(?:unknown command|syntax error|missing argument|error: )",),
             pipes=(*_PIPES, "display", "find", "last", "trim"),
             noise=r"\{(?:master|backup|linecard|primary|secondary)\S*\}"),
    Platform("mikrotik_routeros", ("/interface print", "/ip address print", "/ip route print", "/system resource print",
                                   "/system health print", "/system routerboard print", "/system identity print"),
             errors=(r"^(?:bad command name|expected end of command|syntax error|no such item)", r"^failure: "),
             newline="\r", user_suffix="+ct511w4098h"),
    Platform("paloalto_panos", setup=("set cli scripting-mode on", "set cli terminal width 500", "set cli pager off"),
             errors=(r"^\s*(?:Unknown command|Invalid syntax|Server error)",)),
    Platform("ruckus_fastiron", setup=("skip-page-display",), enable="enable", errors=_FASTIRON_ERRORS),
    Platform("ubiquiti_edgeswitch", setup=("terminal length 0",), enable="enable"),
    Platform("ubiquiti_edgerouter", setup=("terminal width 511", "terminal length 0"),
             errors=(*_UNIX_ERRORS, r"^\s*Invalid command")),
    Platform("vyatta_vyos", setup=("set terminal width 511", "set terminal length 0"),
             errors=(*_UNIX_ERRORS, r"^\s*Invalid command")),
    Platform("zte_zxros", setup=("terminal length 0",), enable="enable"),
    # Not in ntc-templates: hosts, power, and whatever only has a prompt.
    Platform("apc_aos", ("about", "upsabout", "detstatus", "devstatus", "alarmcount"),
             errors=(r"^E10\d:",), pipes=(), newline="\r"),
    Platform("linux", ("cat", "df", "free", "head", "id", "ip -s link show", "ip -j addr show", "ip -j link show",
                       "ip addr show", "ip link show", "ip route show", "ip neigh show", "last", "ls", "lsblk", "lscpu",
                       "lsmod", "lspci", "mpstat", "netstat", "nproc", "ps", "stat", "systemctl is-active",
                       "systemctl list-units", "systemctl status", "tail", "uname", "uptime", "vmstat", "w", "wc",
                       "who"),
             ("date", "date +%s", "dmesg", "hostname", "hostname -f", "hostnamectl", "ss -s", "ss -tan", "ss -tunl"),
             Channel.EXEC, errors=_UNIX_ERRORS, pipes=("cut", "egrep", "fgrep", "grep", "head", "tail", "tr", "wc")),
    Platform("menu", ("\x1b",), errors=(), newline="\r", pipes=()),
)  # fmt: skip
"""Every platform by name. `menu` is a screen with numbered choices, as old UPS cards have: digits and Escape."""
