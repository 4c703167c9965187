import pytest

from aquascene.sources.addresses import loopback_pairs, pair_of, private_pairs, refusal


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "127.9.9.9", "0.0.0.0", "10.0.0.1", "172.16.3.4", "192.168.1.1", "169.254.169.254", "100.64.0.1", "192.0.2.1", "198.18.0.1",
        "224.0.0.1", "240.0.0.1", "255.255.255.255", "::1", "::", "fe80::1", "fe80::1%eth0", "fc00::1", "fd00:ec2::254", "ff02::1",
        "fec0::1", "3fff::1", "64:ff9b:1::7f00:1", "2001:db8::1",
        "::ffff:127.0.0.1", "::ffff:169.254.169.254", "::ffff:10.0.0.1", "2002:7f00:1::", "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe",
        "2001:0:0:0:0:0:80ff:fffe", "not-an-address",
    ],
)  # fmt: skip
def test_no_private_address_is_dialled(address: str) -> None:
    assert refusal(address, 80, frozenset()) is not None


@pytest.mark.parametrize("address", ["93.184.216.34", "2606:2800:220:1:248:1893:25c8:1946", "::ffff:93.184.216.34", "64:ff9b::5db8:d822"])
def test_public_addresses_are_dialled(address: str) -> None:
    assert refusal(address, 443, frozenset()) is None


def test_loopback_needs_its_exact_pair() -> None:
    allow = loopback_pairs(["127.0.0.1:8101", "localhost:9000"])
    assert refusal("127.0.0.1", 8101, allow) is None
    assert refusal("127.0.0.1", 8102, allow) is not None
    assert refusal("127.0.0.2", 8101, allow) is not None
    assert refusal("::1", 9000, allow) is None


def test_an_allow_list_opens_loopback_only() -> None:
    assert refusal("10.0.0.1", 80, loopback_pairs(["10.0.0.1:80"])) is not None


@pytest.mark.parametrize("address", ["10.0.0.1", "172.18.0.5", "192.168.1.1", "fd12:3456::1", "::ffff:10.0.0.1"])
def test_a_host_that_may_be_private_leads_to_private_networks(address: str) -> None:
    assert refusal(address, 8101, frozenset(), private=True) is None
    assert refusal(address, 8101, frozenset()) is not None


@pytest.mark.parametrize(
    "address", ["127.0.0.1", "::1", "0.0.0.0", "169.254.169.254", "fe80::1", "fd00:ec2::254", "224.0.0.1", "100.64.0.1", "64:ff9b::a9fe:a9fe"]
)
def test_a_host_that_may_be_private_leads_nowhere_worse(address: str) -> None:
    assert refusal(address, 80, frozenset(), private=True) is not None


def test_private_pairs_are_hosts_as_they_are_asked_for() -> None:
    assert private_pairs(["Sandbox:8101", "[fd12::1]:80", "10.0.0.7:8000"]) == {"sandbox:8101", "fd12::1:80", "10.0.0.7:8000"}
    assert pair_of("SANDBOX.", 8101) in private_pairs(["sandbox:8101"])
