import ipaddress

import pytest

from webapp.webhooks.destinations import Destinations, InvalidWebhookUrlError, check_webhook_url

PUBLIC = ["93.184.216.34", "2606:2800:220:1:248:1893:25c8:1946", "64:ff9b::5db8:d822"]
PRIVATE = [
    "127.0.0.1",
    "0.0.0.0",
    "10.0.0.1",
    "100.64.0.1",
    "169.254.169.254",
    "172.16.0.1",
    "192.168.1.1",
    "192.0.2.1",
    "198.18.0.1",
    "224.0.0.1",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::ffff:10.0.0.1",
    "64:ff9b::a00:1",
    "64:ff9b:1::a00:1",
    "2002:a00:1::",
    "2001:db8::1",
    "fc00::1",
    "fe80::1",
    "fec0::1",
    "ff02::1",
]


@pytest.mark.parametrize("text", PUBLIC)
def test_public_addresses_may_be_called(text: str) -> None:
    # given an address of the world
    # when it is looked at, then it is allowed
    assert Destinations().allows(ipaddress.ip_address(text))


@pytest.mark.parametrize("text", PRIVATE)
def test_addresses_inside_may_not_be_called(text: str) -> None:
    # given an address of a network inside, written in any way
    # when it is looked at, then it is refused
    assert not Destinations().allows(ipaddress.ip_address(text))


def test_the_operator_allows_networks() -> None:
    # given an operator who allows a network, and a service on the operator's own computer
    allowed = Destinations(allow_loopback=True, networks=(ipaddress.ip_network("10.1.0.0/16"),))
    # when addresses are looked at
    found = {
        text: allowed.allows(ipaddress.ip_address(text))
        for text in ("10.1.2.3", "::ffff:10.1.2.3", "10.2.0.1", "127.0.0.1", "::1", "169.254.169.254")
    }
    # then these are allowed, and nothing else
    assert [text for text, is_allowed in found.items() if is_allowed] == [
        "10.1.2.3",
        "::ffff:10.1.2.3",
        "127.0.0.1",
        "::1",
    ]


@pytest.mark.parametrize(
    "url",
    [
        "",
        "hooks.example.com",
        "http://hooks.example.com/",
        "ftp://hooks.example.com/",
        "https://",
        "https://user:password@hooks.example.com/",
        "https://hooks.example.com/#part",
        "https://hooks.example.com:0/",
        "https://hooks.example.com:99999/",
        "https://hooks.example.com/ä",
        "https://hooks.example.com/a b",
        "https://hooks.example.com/\r\nHost: inside",
        "https://[::1",
        "https://hooks.example.com/" + "a" * 2000,
        "http://localhost:8000/",
    ],
)
def test_urls_that_no_webhook_goes_to(url: str) -> None:
    # given what an admin may type
    # when it is read in production, then it is refused
    with pytest.raises(InvalidWebhookUrlError):
        check_webhook_url(url, allow_loopback=False)


@pytest.mark.parametrize(
    ("url", "allow_loopback"),
    [
        ("https://hooks.example.com", False),
        ("https://hooks.example.com:8443/a?b=c", False),
        ("http://localhost:9000/hook", True),
        ("http://127.0.0.1:9000/hook", True),
    ],
)
def test_urls_that_a_webhook_goes_to(url: str, allow_loopback: bool) -> None:
    # given a good URL
    # when it is read, then it stays as it is
    assert check_webhook_url(url, allow_loopback=allow_loopback) == url
