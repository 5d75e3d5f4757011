"""Secrets that open nothing, put together here so that no scanner takes this file for a leak."""

from __future__ import annotations

import base64
import random
import textwrap

_random = random.Random(7)
_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
_CAPITALS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
_HEX = "0123456789abcdef"


def some(count: int, letters: str = _LETTERS) -> str:
    return "".join(_random.choices(letters, k=count))


def _encoded(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _url_encoded(text: str) -> str:
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


_HEADER = _url_encoded('{"alg": "HS256", "typ": "JWT"}')
_PAYLOAD = _url_encoded('{"sub": "1234567890", "name": "Bob"}')

#: kind -> a token of that shape
SHAPED = {
    "GitHub token": "ghp_" + some(36),
    "GitHub token of an app": "ghs_" + some(36),
    "GitHub token, fine-grained": "github_pat_" + some(22) + "_" + some(59),
    "GitLab token": "glpat-" + some(20),
    "AWS key": "AKIA" + some(16, _CAPITALS),
    "AWS key for a while": "ASIA" + some(16, _CAPITALS),
    "Google key": "AIza" + some(35),
    "Google access": "ya29." + some(60),
    "Azure secret": some(3) + "8Q~" + some(34),
    "npm token": "npm_" + some(36),
    "PyPI token": "pypi-AgEIcHlwaS5vcmc" + some(70),
    "RubyGems token": "rubygems_" + some(48, _HEX),
    "Docker token": "dckr_pat_" + some(27),
    "Slack token": "xoxb-" + some(12, "0123456789") + "-" + some(24),
    "Slack webhook": "hooks.slack.com/services/T" + some(8) + "/B" + some(8) + "/" + some(24),
    "Discord webhook": "discord.com/api/webhooks/" + some(18, "0123456789") + "/" + some(68),
    "Telegram token": some(10, "123456789") + ":AA" + some(33),
    "Stripe key": "sk_live_" + some(24),
    "Twilio key": "SK" + some(32, _HEX),
    "SendGrid key": "SG." + some(22) + "." + some(43),
    "Shopify token": "shpat_" + some(32, _HEX),
    "DigitalOcean token": "dop_v1_" + some(64, _HEX),
    "Hugging Face token": "hf_" + some(34),
    "OpenAI key": "sk-proj-" + some(48),
    "Anthropic key": "sk-ant-api03-" + some(93),
    "Vault token": "hvs." + some(90),
    "Grafana token": "glsa_" + some(32) + "_" + some(8, _HEX),
    "Databricks token": "dapi" + some(32, _HEX),
    "Postman key": "PMAK-" + some(24, _HEX) + "-" + some(34, _HEX),
    "Pulumi token": "pul-" + some(40, _HEX),
    "age key": "AGE-SECRET-KEY-1" + some(58, _CAPITALS),
    "JSON web token": f"{_HEADER}.{_PAYLOAD}.{some(43)}",
    "password hash": "$6$" + some(16) + "$" + some(86),
}


def _lines(data: bytes, width: int = 64) -> str:
    return "\n".join(textwrap.wrap(_encoded(data), width))


def _pem(what: str, data: bytes, before: str = "") -> str:
    return f"-----BEGIN {what}-----\n{before}{_lines(data)}\n-----END {what}-----"


_RSA = bytes.fromhex("308204a40201000282010100")

#: what -> a private key in that form
KEYS = {
    "RSA": _pem("RSA PRIVATE KEY", _RSA + _random.randbytes(1180)),
    "PKCS 8": _pem(
        "PRIVATE KEY", bytes.fromhex("308204bd020100300d06092a864886f70d0101010500") + _random.randbytes(1190)
    ),
    "Ed25519": _pem("PRIVATE KEY", bytes.fromhex("302e020100300506032b657004220420") + _random.randbytes(32)),
    "elliptic curve": _pem("EC PRIVATE KEY", bytes.fromhex("30770201010420") + _random.randbytes(114)),
    "encrypted": _pem(
        "RSA PRIVATE KEY",
        _random.randbytes(1190),
        "Proc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,7C8AD2B3E4F5A6B7C8D9E0F1A2B3C4D5\n\n",
    ),
    "OpenSSH": "-----BEGIN OPENSSH PRIVATE KEY-----\n"
    + _lines(b"openssh-key-v1\0\0\0\0\4none" + _random.randbytes(380), 70)
    + "\n-----END OPENSSH PRIVATE KEY-----",
    "PGP": "-----BEGIN PGP PRIVATE KEY BLOCK-----\nVersion: GnuPG v2\n\n"
    + _lines(_random.randbytes(2400))
    + "\n=a1Bc\n-----END PGP PRIVATE KEY BLOCK-----",
    "SSH2": "---- BEGIN SSH2 ENCRYPTED PRIVATE KEY ----\n"
    + _lines(_random.randbytes(400), 70)
    + "\n---- END SSH2 ENCRYPTED PRIVATE KEY ----",
    "PuTTY": "PuTTY-User-Key-File-3: ssh-ed25519\nEncryption: none\nComment: bob\nPublic-Lines: 2\n"
    "AAAAC3NzaC1lZDI1NTE5AAAAIKh\nq1\n"
    + f"Private-Lines: 1\n{_encoded(_random.randbytes(36))}\nPrivate-MAC: {some(64, _HEX)}",
}

#: How a name gets a value that is secret; {} is where it stands.
ASSIGNED = {
    "environment": "DB_PASSWORD={}\n",
    "environment, exported": "export API_TOKEN='{}'\n",
    "shell, traced": "+ PGPASSWORD={} psql\n",
    "ini": "db_password = {}\n",
    "properties": "spring.datasource.password={}\n",
    "yaml": "  client_secret: {}\n",
    "yaml, a list of names": "- name: DB_PASSWORD\n  value: {}\n",
    "yaml, a block": "password: |\n    {}\nnext: 1\n",
    "json": '{{"user": "bob", "password": "{}", "x": 1}}\n',
    "json in json": '"{{\\"api_key\\": \\"{}\\"}}"\n',
    "json, names beside values": '{{"name": "DB_PASSWORD", "value": "{}"}}\n',
    "json, deeper": '{{"password": {{"value": "{}"}}}}\n',
    "python": "{{'accessToken': '{}', 'x': 1}}\n",
    "python, bytes": "{{b'password': b'{}'}}\n",
    "python, annotated": "password: str = '{}'\n",
    "python, wrapped": "Settings(password=SecretStr('{}'), user='bob')\n",
    "python, a list": "<QueryDict: {{'password': ['{}'], 'user': ['bob']}}>\n",
    "python, compared": "E       assert token == '{}'\n",
    "php": "[password] => {}\n",
    "ruby": ':password=>"{}", :user=>"bob"\n',
    "go": "{{User:bob Password:{} Port:5432}}\n",
    "java": "Config{{password={}, user=bob}}\n",
    "xml attribute": '<property name="DB_PASSWORD" value="{}"/>\n',
    "xml attribute, the other way": '<password value="{}"/>\n',
    "xml element": "<password>{}</password>\n",
    "xml element by its key": '<entry key="db.password">{}</entry>\n',
    "xml names and values": "<name>secret-key</name>\n<value>{}</value>\n",
    "xml cdata": "<secret><![CDATA[{}]]></secret>\n",
    "xml message": '<failure message="DB_PASSWORD={}&#10;USER=bob"/>\n',
    "xml escaped": "&quot;password&quot;: &quot;{}&quot;,\n",
    "html table": "<tr><td>DB_PASSWORD</td>\n<td class='c'><pre>{}</pre></td></tr>\n",
    "flag": "run --password {} --verbose\n",
    "flag with equals": "run --api-key={} --verbose\n",
    "flag in a list": "['run', '--token', '{}', '-v']\n",
    "address": "GET /x?access_token={}&page=2 HTTP/1.1\n",
    "address, escaped": "next=%2Fx%3Ftoken%3D{}\n",
    "signed address": "https://x.example/y?sv=1&sig={}&se=2\n",
    "user of an address": "postgres://bob:{}@db.example/x\n",
    "header": "Authorization: Bearer {}\n",
    "header, lower case": "> proxy-authorization: Basic {}\n",
    "header of our own": "X-KNOWN-SIGNATURE: {}\n",
    "header in a list": "curl -H 'X-Api-Key: {}' https://x.example\n",
    "header in a dictionary": "{{'Authorization': 'token {}', 'Accept': '*/*'}}\n",
    "headers in a trace": "send: b'GET / HTTP/1.1\\r\\nAuthorization: Basic {}\\r\\nAccept: */*\\r\\n'\n",
    "cookie": "Set-Cookie: session={}; HttpOnly\n",
    "archive of requests": '{{"name": "Cookie", "value": "s={}"}}\n',
    "form": 'Content-Disposition: form-data; name="password"\r\n\r\n{}\r\n--x\n',
    "netrc": "machine x.example login bob password {}\n",
    "curl": "curl -u bob:{} https://x.example\n",
    "mysql": "mysqldump -u root -p{} shop\n",
    "sql": "CREATE USER bob IDENTIFIED BY '{}';\n",
    "docker file": "ENV DB_PASSWORD {}\n",
    "connection string": "Server=x;User Id=bob;Password={};Database=y\n",
    "coloured": '\x1b[34m"password"\x1b[0m: \x1b[32m"{}"\x1b[0m\n',
    "bold": "**Password:** {}\n",
    "npmrc": "//registry.npmjs.org/:_authToken={}\n",
    "kubeconfig": "    token: {}\n",
    "wireguard": "PrivateKey = {}\n",
    "process": "run\0--db-password\0{}\0--verbose\0\n",
}
