"""Secrets in texts and values: found wherever agents put them, and nothing else is blanked out."""

import tracemalloc
from typing import Any

import pytest

from server.text import redaction
from server.text.redaction.texts import without_secrets
from server.text.redaction.values import without_secrets_in
from server.tools.ledger.redaction import result

X = redaction.BLANK
SLACK = "https://hooks.slack.com/services/"


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        ("curl --token abcdef https://x", f"curl --token {X} https://x"),
        ("env API_KEY=abcdef make all", f"env API_KEY={X} make all"),
        ("client-secret: abcd and auth.token = 'efgh'", f"client-secret: {X} and auth.token = '{X}'"),
        ("--password 'my pass word' -v", f"--password '{X}' -v"),
        ("mvn --db-password=hunter2", f"mvn --db-password={X}"),
        ("PGPASSWORD=hunter2 psql -h x", f"PGPASSWORD={X} psql -h x"),
        ("curl -u me:hunter2 https://x", f"curl -u me:{X} https://x"),
        # headers
        ('-H "Authorization: Basic dXNlcjpwYXNz" https://x', f'-H "Authorization: Basic {X}" https://x'),
        ("-H 'Authorization: token abcdef12' https://x", f"-H 'Authorization: token {X}' https://x"),
        ("Authorization: Bearer abc123 was refused", f"Authorization: Bearer {X} was refused"),
        ('Authorization: Digest username="me", response="abcdef"', f"Authorization: Digest {X}"),
        ("Cookie: theme=dark; session=abcdef; csrf=z", f"Cookie: {X}"),
        ("X-Api-Key: abcdef", f"X-Api-Key: {X}"),
        # addresses
        ("https://a.org/v1?access_token=abcdef&user=me", f"https://a.org/v1?access_token={X}&user=me"),
        ("https://a.org/v1?user=me&sig=ab%2Bcd&se=2030", f"https://a.org/v1?user=me&sig={X}&se=2030"),
        ("https://b.s3.org/k?X-Amz-Signature=abcdef&X-Amz-Date=2030", f"https://b.s3.org/k?X-Amz-Signature={X}&X-Amz-Date=2030"),
        ("redis://:hunter2@host:6379/0", f"redis://{X}@host:6379/0"),
        ("postgres://me:p@ss@host/db", f"postgres://{X}@host/db"),
        (f"https://{'ab12' * 10}@github.com/a/b", f"https://{X}@github.com/a/b"),
        (f"{SLACK}T00000000/B00000000/{'ab12' * 6}", f"{SLACK}{X}"),
        # settings and connection strings
        ("export DB_PASSWORD=a,b&c;d", f"export DB_PASSWORD={X}"),
        ('DB_PASSWORD="my long pass phrase"', f'DB_PASSWORD="{X}"'),
        ("DB_PASSWORD=\nDB_HOST=localhost", "DB_PASSWORD=\nDB_HOST=localhost"),
        ("Server=x;User Id=sa;Password=abc;Encrypt=yes", f"Server=x;User Id=sa;Password={X};Encrypt=yes"),
        ("AccountName=x;AccountKey=abcd==;EndpointSuffix=y", f"AccountName=x;AccountKey={X};EndpointSuffix=y"),
        ("//registry.npmjs.org/:_authToken=abcdef-1234", f"//registry.npmjs.org/:_authToken={X}"),
        ("DJANGO_SECRET_KEY='abc def'", f"DJANGO_SECRET_KEY='{X}'"),
        ("<user>me</user><password>hunter2</password>", f"<user>me</user><password>{X}</password>"),
        # JSON in strings, however often it was quoted
        ('{"password": "hunter2 and more", "user": "me"}', f'{{"password": "{X}", "user": "me"}}'),
        (r'{"body": "{\"password\": \"a b\", \"n\": 1}"}', rf'{{"body": "{{\"password\": \"{X}\", \"n\": 1}}"}}'),
        (r"{\\\"token\\\": \\\"abcd\\\", \\\"n\\\": 1}", rf"{{\\\"token\\\": \\\"{X}\\\", \\\"n\\\": 1}}"),
        # shapes
        ("npm_" + "a1" * 18, X),
        ("key sk_live_" + "a1" * 10 + " used", f"key {X} used"),
        ("-----BEGIN PGP PRIVATE KEY BLOCK-----\nab\n-----END PGP PRIVATE KEY BLOCK-----", X),
        ("a -----BEGIN RSA PRIVATE KEY-----\nab", f"a {X}"),
        (f"github_pat_{'a1' * 20} b", f"{X} b"),
        (f"hooks.slack.com/services/{'ab12' * 6}", f"hooks.slack.com/services/{X}"),
        # secrets that run into one another
        (f"ATATT{'a' * 20}-----BEGIN RSA PRIVATE KEY-----\nab", X),
        (f"://me:ghp_{'a1' * 18}@host", f"://{X}@host"),
    ],
)  # fmt: skip
def test_a_secret_in_a_text_is_blanked_out_and_nothing_else(said: str, kept: str) -> None:
    assert without_secrets(said) == kept
    assert without_secrets(kept) == kept


@pytest.mark.parametrize(
    "said",
    [
        "the token counts more than the secret garden",
        "token_count=12345 --max-tokens 4096 --token-file /x/y",
        "password: must be at least 8 characters",
        "token = get_token(); password = os.environ['PW']",
        "def f(token: str | None = None, password: Optional[str] = None)",
        'curl -H "Authorization: Bearer $TOKEN" https://x',
        "API_KEY=${API_KEY} PASSWORD=$(cat pw) TOKEN=%TOKEN% make",
        "token: <your token>, password=***",
        "secret: true, password: null, authorization: required",
        "tests/test_token.py::test_password[a] PASSED",
        "the cookie: chocolate chips",
        "assert token == 'abcdef'",
        "https://example.org:8080/a@b?x=a:b@c git@github.com:a/b.git",
    ],
)
def test_a_text_without_a_secret_stays_as_it_is(said: str) -> None:
    assert without_secrets(said) == said


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        ({"argv": ["mysql", "--password", "hunter2", "db"]}, {"argv": ["mysql", "--password", X, "db"]}),
        ({"headers": [["Authorization", "Bearer abcd"]]}, {"headers": [["Authorization", X]]}),
        ({"env": [{"name": "API_TOKEN", "value": "abcd"}]}, {"env": [{"name": "API_TOKEN", "value": X}]}),
        ({"https://me:hunter2@a.org": 1}, {f"https://{X}@a.org": 1}),
        (["mysql", "-uroot", "-phunter2", "app"], ["mysql", "-uroot", f"-p{X}", "app"]),
        (["curl", "-u", "me:hunter2"], ["curl", "-u", f"me:{X}"]),
        (["docker", "login", "-p", "hunter2", "x"], ["docker", "login", "-p", X, "x"]),
        (["sshpass", "-p", "hunter2", "ssh", "-p", "2222"], ["sshpass", "-p", X, "ssh", "-p", "2222"]),
        (["docker", "run", "-p", "8080:80"], ["docker", "run", "-p", "8080:80"]),
        (["mysql", "-pa b&c;d'e", "app"], ["mysql", f"-p{X}", "app"]),
        (["docker", "login", "-p", 'a"b c', "x"], ["docker", "login", "-p", X, "x"]),
        (["bash", "-c", "mysql -phunter2"], ["bash", "-c", f"mysql -p{X}"]),
        ({"words": ["password", "hunter", "gun"]}, {"words": ["password", "hunter", "gun"]}),
        ({"flags": ["--password", "--verbose"], "token": 5}, {"flags": ["--password", "--verbose"], "token": 5}),
        ({"columns": ["password", "username"]}, {"columns": ["password", "username"]}),
        (
            {"sort": ["token", "asc"], "headers": ["cookie", "a=b"]},
            {"sort": ["token", "asc"], "headers": ["cookie", X]},
        ),
        ({"env": {f"ghp_{'a' * 36}": 1, f"ghp_{'b' * 36}": 2, "A": 3}}, {"env": {X: 1, f"{X} 2": 2, "A": 3}}),
        ({"password": 12345678, "token": 5, "secret": True}, {"password": X, "token": 5, "secret": True}),
        ([{"name": "token", "value": 12345678}], [{"name": "token", "value": X}]),
        ({"argv": ["--password", 12345678, "--token", 5]}, {"argv": ["--password", X, "--token", 5]}),
    ],
)
def test_a_secret_in_a_value_is_blanked_out_and_nothing_else(said: Any, kept: Any) -> None:
    assert without_secrets_in(said) == kept


def test_a_result_is_read_as_json_where_it_is() -> None:
    assert result('{"apiKey": "abcd", "n": [1]}') == {"apiKey": X, "n": [1]}
    assert result('{"apiKey": "abcd", "n": NaN}') == f'{{"apiKey": "{X}", "n": NaN}}'


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        ("mysql -u root -phunter2 app", f"mysql -u root -p{X} app"),
        ("/usr/bin/mysqldump -uroot -p'my pass' app | gzip", f"/usr/bin/mysqldump -uroot -p'{X}' app | gzip"),
        ("docker exec db mariadb -phunter2 -e 'select 1'", f"docker exec db mariadb -p{X} -e 'select 1'"),
        ("curl -sSu me:hunter2 https://x", f"curl -sSu me:{X} https://x"),
        ("curl -ume:hunter2 -U you:secret2 https://x", f"curl -ume:{X} -U you:{X} https://x"),
        ('curl --user "me:my pass" https://x', f'curl --user "me:{X}" https://x'),
        ("docker login -p hunter2 x && docker run -p 8080:80 x", f"docker login -p {X} x && docker run -p 8080:80 x"),
        ("sshpass -p hunter2 ssh -p 2222 me@host", f"sshpass -p {X} ssh -p 2222 me@host"),
        ("sshpass -phunter2 scp -P 2222 a me@host:", f"sshpass -p{X} scp -P 2222 a me@host:"),
        ("redis-cli -h x -a hunter2 ping", f"redis-cli -h x -a {X} ping"),
        ("mongosh -u me -p hunter2 db", f"mongosh -u me -p {X} db"),
        ("ldapsearch -x -D cn=me -w hunter2 -s sub", f"ldapsearch -x -D cn=me -w {X} -s sub"),
        ("zip -P hunter2 a.zip b; mkdir -p dir", f"zip -P {X} a.zip b; mkdir -p dir"),
        ("7z x -phunter2 a.7z", f"7z x -p{X} a.7z"),
        ("openssl rsa -passin pass:hunter2 -in k", f"openssl rsa -passin pass:{X} -in k"),
        ("keytool -list -storepass hunter2", f"keytool -list -storepass {X}"),
        ("smbclient //a/b -U me%hunter2", f"smbclient //a/b -U me%{X}"),
        ("curl -s \\\n  -u me:hunter2 https://x", f"curl -s \\\n  -u me:{X} https://x"),
        ('{"cmd": "mysql -phunter2 db", "n": 1}', f'{{"cmd": "mysql -p{X} db", "n": 1}}'),
    ],
)  # fmt: skip
def test_a_secret_behind_a_short_option_of_a_program_that_has_one_is_blanked_out(said: str, kept: str) -> None:
    assert without_secrets(said) == kept
    assert without_secrets(kept) == kept


@pytest.mark.parametrize(
    "said",
    [
        "mkdir -p some/dir && ssh -p 2222 host && docker run -p 8080:80 image",
        "cp -u a:b c && git add -p && psql -p 5432 -U me && nmap -p 1-1000 x",
        "mysql -u root -p app",
        "mysql -uroot -p$PASS -P 3306 app",
        "curl -u me https://host:8080/a && curl -u $USER:$PASS https://x",
        "curl -XPUT localhost:9200 -o a:b",
        "redis-cli -a $REDISCLI_AUTH ping; mongodump -p",
        "docker login --password-stdin ghcr.io && docker run -p 8080:80 x",
        "the login of docker -p is not what zip -p means",
        "sudo -u me:group ls; chown -R me:group dir; rsync -au a:b c",
        "ldapsearch -x -W -s sub -b dc=a; python -m http.server -p 8000",
        "net use; the mysql database and its -p option",
        "scp -P 2222 a b:c",
        "find /var/lib/mysql -prune -o -print && find /opt/mongo -path x -perm 600",
        "docker login asks for the -p flag",
    ],
)
def test_the_same_option_of_another_program_is_left_as_it_is(said: str) -> None:
    assert without_secrets(said) == said
    assert without_secrets_in(said.split()) == said.split()


PIECES = [
    "x", "-x", "a ", "x.", "note= ", "://a", "://a:", "eyJa.", "--a ", "[", " ", "token ", "token=$A&", "\\",
    "password=${", "curl -u ", "curl ", "mysql -p ", "docker login ", "curl -u a", "sshpass \"", "mysql '",
    "eyJ-", "cookie:", "-x\\\n", "net -x ",
]  # fmt: skip


@pytest.mark.parametrize("piece", PIECES)
def test_long_texts_are_looked_through_once(piece: str) -> None:
    said = piece * (200_000 // len(piece))
    assert without_secrets(said) == said
    assert not redaction.may_hide(said.encode()) or "=" in piece or piece == "cookie:"


@pytest.mark.parametrize(
    "piece",
    [
        "token=",
        'token="',
        "password='x;",
        "Authorization: Digest ",
        "cookie: a=b;",
        "--token abc ",
        "mysql -pabc ",
        "curl -u a:bcd;",
    ],
)
def test_long_texts_full_of_names_are_looked_through_once(piece: str) -> None:
    assert X in without_secrets(piece * (200_000 // len(piece)))


def test_long_keys_are_not_kept() -> None:
    tracemalloc.start()
    try:
        for number in range(100):
            key = f"{number} {'k' * 100_000}"
            assert without_secrets_in({key: 1}) == redaction.blanked({key: 1})[0] == {key: 1}
        kept, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert kept < 1_000_000
