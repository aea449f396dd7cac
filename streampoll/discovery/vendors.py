"""Vendors by their private enterprise number (IANA), as short names for the column `vendor`."""

from typing import Final

VENDORS: Final = {
    2: "ibm", 9: "cisco", 11: "hp", 23: "novell", 42: "sun", 43: "3com", 45: "nortel", 63: "apple",
    89: "radware", 94: "nokia", 111: "oracle", 119: "nec", 161: "motorola", 171: "d-link", 193: "ericsson",
    207: "allied-telesis", 232: "hpe", 236: "samsung", 253: "xerox", 303: "hughes", 311: "microsoft", 318: "apc",
    343: "intel", 367: "ricoh", 368: "axis", 476: "vertiv", 534: "eaton", 559: "f5", 562: "mitel",
    637: "alcatel-lucent", 641: "lexmark", 664: "adtran", 674: "dell", 705: "eaton", 789: "netapp",
    850: "tripp-lite", 890: "zyxel", 1248: "epson", 1271: "ciena", 1347: "kyocera", 1588: "brocade",
    1602: "canon", 1916: "extreme", 1991: "brocade", 2001: "oki", 2011: "huawei", 2021: "net-snmp", 2334: "packeteer",
    2435: "brother", 2604: "sophos", 2620: "check-point", 2636: "juniper", 3224: "juniper", 3375: "f5",
    3854: "avocent", 3902: "zte", 3955: "linksys", 4413: "broadcom", 4526: "netgear", 4881: "ruijie",
    5624: "enterasys", 5951: "citrix", 6027: "dell", 6141: "ciena", 6486: "alcatel-lucent", 6527: "nokia",
    6574: "synology", 6876: "vmware", 8072: "net-snmp", 8691: "moxa", 8744: "hpe", 10002: "ubiquiti",
    10418: "avocent", 11863: "tp-link", 12356: "fortinet", 13742: "raritan", 14179: "cisco", 14823: "aruba",
    14988: "mikrotik", 17163: "riverbed", 17713: "cambium", 18334: "konica-minolta", 21239: "vertiv", 21839: "emerson",
    22736: "digium", 24681: "qnap", 25053: "ruckus", 25461: "palo-alto", 25506: "h3c", 26866: "gigamon",
    29671: "meraki", 30065: "arista", 33049: "mellanox", 40310: "cumulus", 41112: "ubiquiti", 43356: "mimosa",
    47196: "aruba", 52642: "fs",
}  # fmt: skip
