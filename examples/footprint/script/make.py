#!/usr/bin/env python3
"""Makes the answers that the programs of the client are given: what a server would say to exactly
the questions that they ask, with their secret, their clock and their nonces. Written from
docs/PROTOCOL.md alone, it is a second implementation of it as well. Needs the package `cryptography`."""

import base64, hashlib, hmac, pathlib, struct
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

HERE = pathlib.Path(__file__).parent
SECRET, DEVICE, VERSION = b"an example of a secret, 32 bytes", "d8fa0180", "1.1.0"
NOW, HARDWARE, NEXT = 1_767_323_045, "esp32-s2", "1.2.0"
IMAGE = bytes(index * 7 & 255 for index in range(1500))

mac = lambda key, text: hmac.new(key, text, hashlib.sha256).digest()
sub_key = lambda purpose: mac(SECRET, b"providore/2 " + purpose + b"\x01")
sequence = lambda raw: ":" + base64.b64encode(raw).decode() + ":"
sha256 = lambda data: hashlib.sha256(data).digest()


def question(number, path, query=""):
    """The value of the signature of the question with this number."""
    nonce = struct.pack(">4I", *range(4 * number + 1, 4 * number + 5))
    nonce = base64.urlsafe_b64encode(nonce).decode().rstrip("=")
    parameters = (
        f'("@method" "@path" "@query" "x-firmware-version");created={NOW};expires={NOW + 120}'
        f';nonce="{nonce}";alg="hmac-sha256";keyid="{DEVICE}";tag="providore-2"'
    )
    lines = [
        '"@method": GET', f'"@path": {path}', f'"@query": ?{query}',
        f'"x-firmware-version": {VERSION}', f'"@signature-params": {parameters}',
    ]
    return sequence(mac(sub_key(b"request"), "\n".join(lines).encode()))


def answer(name, number, path, query, fields, body):
    """A signed answer to it, with the fields in the order of the profile."""
    names = " ".join(f'"{field}"' for field in fields)
    parameters = (
        f'("@status" {names} "@method";req "@path";req "@query";req "signature";req;key="providore")'
        f';created={NOW};alg="hmac-sha256";keyid="{DEVICE}";tag="providore-2-response"'
    )
    lines = ['"@status": 200', *(f'"{field}": {value}' for field, value in fields.items())]
    lines += ['"@method";req: GET', f'"@path";req: {path}', f'"@query";req: ?{query}']
    lines += [f'"signature";req;key="providore": {question(number, path, query)}']
    lines += [f'"@signature-params": {parameters}']
    signature = sequence(mac(sub_key(b"response"), "\n".join(lines).encode()))
    head = ["HTTP/1.1 200 OK", *(f"{field}: {value}" for field, value in fields.items())]
    head += [f"signature-input: providore={parameters}", f"signature: providore={signature}", "", ""]
    (HERE / name).write_bytes("\r\n".join(head).encode() + body)


def encrypted(plain):
    salt = sha256(b"salt")[:16]
    extracted = mac(salt, sub_key(b"content"))
    key = mac(extracted, b"Content-Encoding: aes128gcm\0\x01")[:16]
    nonce = mac(extracted, b"Content-Encoding: nonce\0\x01")[:12]
    return salt + struct.pack(">IB", 4096, 0) + AESGCM(key).encrypt(nonce, plain + b"\x02", b"")


def head(major, number):
    """CBOR: the head of an item."""
    for code, size in ((24, 1), (25, 2), (26, 4)):
        if number < (24 if size == 1 and number < 24 else 1 << 8 * size):
            return bytes([major << 5 | number]) if number < 24 else bytes([major << 5 | code]) + number.to_bytes(size, "big")
    raise ValueError(number)


binary = lambda data: head(2, len(data)) + data
text = lambda data: head(3, len(data)) + data.encode()


def manifest():
    key = ec.derive_private_key(7, ec.SECP256R1())
    der, raw = serialization.Encoding.DER, serialization.Encoding.X962
    spki = key.public_key().public_bytes(der, serialization.PublicFormat.SubjectPublicKeyInfo)
    point = key.public_key().public_bytes(raw, serialization.PublicFormat.UncompressedPoint)
    (HERE / "author.bin").write_bytes(point)
    protected = head(5, 3) + head(0, 1) + head(1, 6)
    protected += head(0, 3) + text("application/vnd.providore.manifest+cbor")
    protected += head(0, 4) + binary(sha256(spki)[:8])
    chunks = b"".join(sha256(IMAGE[at : at + 1024]) for at in range(0, len(IMAGE), 1024))
    values = [head(0, 1), text(HARDWARE), text(NEXT), head(0, 7), head(0, 0), head(0, len(IMAGE))]
    values += [binary(sha256(IMAGE)), head(0, 1024), binary(chunks)]
    contents = head(5, 9) + b"".join(head(0, at + 1) + value for at, value in enumerate(values))
    signed = head(4, 4) + text("Signature1") + binary(protected) + binary(b"") + binary(contents)
    numbers = decode_dss_signature(key.sign(signed, ec.ECDSA(hashes.SHA256(), deterministic_signing=True)))
    signature = b"".join(number.to_bytes(32, "big") for number in numbers)
    return head(6, 18) + head(4, 4) + binary(protected) + head(5, 0) + binary(contents) + binary(signature)


def fields(kind, body, **others):
    challenge = base64.urlsafe_b64encode(sha256(b"challenge") + sha256(b"more")[:16]).decode()
    found = {"content-type": kind, "content-encoding": None, "content-digest": f"sha-256={sequence(sha256(body))}"}
    found |= {"etag": None, "location": None} | others | {"providore-challenge": challenge}
    return {field.replace("_", "-"): value for field, value in found.items() if value}


body = encrypted(b'{"interval":60}')
config = fields("application/json", body)
config["content-encoding"] = "aes128gcm"
config = {field: config[field] for field in ("content-type", "content-encoding", "content-digest", "providore-challenge")}
answer("config.http", 0, "/config", "", config, body)
body = manifest()
(HERE / "manifest.cbor").write_bytes(body)
kind, location = 'application/cose; cose-type="cose-sign1"', f"/firmware?version={NEXT}"
answer("check.http", 1, "/firmware/check", "", fields(kind, body, location=location), body)
tag = f'"{sha256(IMAGE).hex()}"'
found = fields("application/octet-stream", IMAGE, etag=tag)
answer("image.http", 2, "/firmware", f"version={NEXT}", found, IMAGE)
