"""Which addresses may be dialled: public ones, and loopback or private ones that the settings name.

Pure; the transport asks for every connection. A loopback address is named by itself. A private one is named by the host
that was asked for: in a network of containers addresses change, and an address alone would let any name lead there.
"""

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

_NAT64 = IPv6Network("64:ff9b::/96")
# Only 2000::/3 is given out (IANA); `is_global` of some Python versions also lets fec0::/10 and 3fff::/20 through.
_GIVEN_OUT = IPv6Network("2000::/3")
_DOCUMENTATION = IPv6Network("3fff::/20")

# Where containers and machines of one installation have their addresses. Clouds have their metadata service at a link-local
# address, which is none of these, and at one that is.
_PRIVATE = (IPv4Network("10.0.0.0/8"), IPv4Network("172.16.0.0/12"), IPv4Network("192.168.0.0/16"), IPv6Network("fc00::/7"))
_METADATA = IPv6Address("fd00:ec2::254")

Address = IPv4Address | IPv6Address


def refusal(address: str, port: int, loopback_allow: frozenset[str], *, private: bool = False) -> str | None:
    """Say why a resolved address must not be dialled; None when it may be. `private` says that its host may be a private one."""
    try:
        ip = innermost(ip_address(address.partition("%")[0]))
    except ValueError:
        return f"{address} is not an address"
    if ip.is_loopback and f"{ip}:{port}" in loopback_allow:
        return None
    if private and _is_private(ip):
        return None
    return None if _is_public(ip) else f"{address} is not a public address"


def _is_private(ip: Address) -> bool:
    return ip != _METADATA and any(ip in network for network in _PRIVATE)


def _is_public(ip: Address) -> bool:
    if isinstance(ip, IPv6Address) and (ip not in _GIVEN_OUT or ip in _DOCUMENTATION):
        return False
    return ip.is_global and not (ip.is_multicast or ip.is_reserved or ip.is_unspecified)


def innermost(ip: Address) -> Address:
    """Unwrap IPv4 inside IPv6 (mapped, 6to4, Teredo, NAT64), where private networks like to hide."""
    if isinstance(ip, IPv4Address):
        return ip
    if ip in _NAT64:
        return IPv4Address(int(ip) & 0xFFFFFFFF)
    teredo = ip.teredo
    return ip.ipv4_mapped or ip.sixtofour or (teredo[1] if teredo else None) or ip


def loopback_pairs(listed: list[str]) -> frozenset[str]:
    """Read the setting `fetch.loopback_allow`; localhost stands for both loopback addresses."""
    pairs: set[str] = set()
    for pair in listed:
        host, _, port = pair.rpartition(":")
        pairs.update({f"127.0.0.1:{port}", f"::1:{port}"} if host == "localhost" else {f"{host.strip('[]')}:{port}"})
    return frozenset(pairs)


def private_pairs(listed: list[str]) -> frozenset[str]:
    """Read the setting `fetch.private_allow`: names or addresses as they stand in URLs, each with a port."""
    return frozenset(pair_of(host, port) for host, _, port in (pair.rpartition(":") for pair in listed))


def pair_of(host: str, port: int | str) -> str:
    """Write a host that is asked for and its port as they stand in `private_pairs`."""
    return f"{host.strip('[]').rstrip('.').lower()}:{port}"
