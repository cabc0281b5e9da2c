# SPDX-License-Identifier: Apache-2.0
"""What a page needs that other PCs reach: certificate and key that fit, and somebody who can sign in."""

from collections.abc import Iterator

from station.adapters.system.people_file import PeopleFile, PeopleUnusable
from station.config.line import Config
from station.config.problems import Problem
from station.config.web_section import as_host, parted
from station.doctor.finding import Finding, advice, bad, good
from station.doctor.paths import file_mistake
from station.doctor.settings import Settings
from station.domain.issuance import EXPIRES_SOON
from station.web.certificate import CertificateUnusable, loaded, uncovered

EXPECTED = {"certificate": "the page's certificate, in PEM", "key": "the key of the page's certificate, in PEM"}


def mistakes(settings: Settings, config: Config | None) -> Iterator[Problem]:
    """What is wrong with the settings of `[web]` on this machine."""
    paths = {name: path for name in EXPECTED if (path := settings.path("web", "tls", name))}
    wrong = {name: text for name, path in paths.items() if (text := file_mistake(path, EXPECTED[name]))}
    for name, text in wrong.items():
        yield Problem(settings.file, f"web.tls.{name}", text)
    if len(paths) == len(EXPECTED) and not wrong:
        try:
            loaded(paths["certificate"], paths["key"])
        except CertificateUnusable as exc:
            name = "certificate" if exc.file == paths["certificate"] else "key"
            yield Problem(settings.file, f"web.tls.{name}", f"{exc}, expected {EXPECTED[name]}")
    if config is not None and config.web.needs_people and (text := _without_people(config)):
        yield Problem(settings.file, "web.listen", text)


def _without_people(config: Config) -> str | None:
    people = PeopleFile(config.people_file)
    try:
        programs = people.tokens()
        if any(person.name not in programs for person in people.people()):
            return None
    except PeopleUnusable as exc:
        return f"other PCs reach {config.web.listen}, and nobody could sign in there: {exc}"
    return (
        f"other PCs reach {config.web.listen}, and nobody could sign in there: {config.people_file} has no person with a "
        "PIN, expected at least one: `station people add NAME --role reader`"
    )


def findings(config: Config) -> Iterator[Finding]:
    """How long the page's certificate lasts, and whether browsers take it for the names of this PC."""
    web = config.web
    if not web.on or web.tls is None:
        return
    try:
        read = loaded(web.tls.certificate, web.tls.key)
    except CertificateUnusable as exc:
        yield bad("page", f"The page cannot be served: {exc}.", "Mend the file; the page comes up by itself.")
        return
    days = read.days
    remedy = f"Put a new one in the place of {web.tls.certificate}: the page takes it up without a restart."
    if days < 0:
        yield bad("page", "The page's certificate has expired, and browsers refuse it.", remedy)
    elif days < EXPIRES_SOON:
        yield advice("page", f"The page's certificate expires in {days} days.", remedy)
    else:
        yield good("page", f"The page's certificate is valid for {days} more days.")
    address = as_host(parted(web.listen)[0])
    hosts = [*web.hosts] if web.hosts else [address]
    if strange := uncovered(read.names, hosts):
        text = f"The page's certificate is not for {', '.join(strange)}, so browsers warn of it there."
        yield advice("page", text, "Ask for a certificate with every one of `hosts` as subject alternative name.")
