"""The packages http-message-signatures, http_ece, cbor2 and cryptography, for a program that speaks JSON.

One question a line on standard input, one answer a line on standard output: {"is": ...}, or
{"refused": "why"} where the package refuses what it was given. Anything else is a mistake of this
script's and ends it. Bytes are hexadecimal.
"""

import datetime
import json
import sys

import cbor2
import http_ece
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, utils
from http_message_signatures import (
    HTTPMessageSigner,
    HTTPMessageSignaturesException,
    HTTPMessageVerifier,
    HTTPSignatureKeyResolver,
    PreparedSignature,
    algorithms,
)
from http_message_signatures._components import _parse_component_ids


class Fields:
    """Header fields as they are on the wire: in order, and a name may stand there twice."""

    def __init__(self, lines):
        self.lines = [tuple(line) for line in lines]

    def items(self):
        return list(self.lines)

    def __iter__(self):
        return iter([name for name, _ in self.lines])

    def __contains__(self, wanted):
        return any(name.lower() == wanted.lower() for name, _ in self.lines)

    def __delitem__(self, unwanted):
        kept = [line for line in self.lines if line[0].lower() != unwanted.lower()]
        self.lines = kept

    def __setitem__(self, name, value):
        self.lines.append((name, value))


class Request:
    def __init__(self, message):
        self.method = message["method"]
        self.headers = Fields(message["fields"])
        self.url = "http://192.0.2.1" + message["target"]
        self.body = bytes.fromhex(message["body"])


class Response:
    def __init__(self, message):
        self.status_code = message["status"]
        self.headers = Fields(message["fields"])
        self.request = Request(message["request"])
        self.body = bytes.fromhex(message["body"])


class Verifier(HTTPMessageVerifier):
    """Without a clock: the messages are of fixed moments, and freshness is not RFC 9421's."""

    def validate_created_and_expires(self, sig_input, max_age=None):
        pass


def read(message):
    return Response(message) if "status" in message else Request(message)


class OneKey(HTTPSignatureKeyResolver):
    """The key of the question, whatever its name is."""

    def __init__(self, key):
        self.key = key

    def resolve_public_key(self, key_id):
        return self.key

    resolve_private_key = resolve_public_key


def handler(kind, question):
    resolver = OneKey(bytes.fromhex(question["key"]))
    return kind(signature_algorithm=algorithms.HMAC_SHA256, key_resolver=resolver)


def verify(question):
    message = read(question["message"])
    # The body is handed over so that its digest is verified as well.
    results = handler(Verifier, question).verify(
        message, max_age=None, expect_tag=question["tag"], body=message.body
    )
    return [result.label for result in results]


def base(question):
    message = read(question["message"])
    verifier = handler(Verifier, question)
    found = verifier._get_sig_inputs_and_signatures(message, expect_tag=question["tag"])
    [(_, parameters, _)] = found
    text, _, _ = verifier._build_signature_base(
        message, covered_component_ids=list(parameters), signature_params=parameters.params
    )
    return text


def signature(question):
    key = bytes.fromhex(question["key"])
    return algorithms.HMAC_SHA256(shared_secret=key).sign(base(question).encode()).hex()


def sign(question):
    """Adds a signature; what is answered are all fields as they are then."""
    message = read(question["message"])
    signer = handler(HTTPMessageSigner, question)
    created, expires = question["created"], question["expires"]
    if created is not None:
        moment = lambda unix: datetime.datetime.fromtimestamp(unix, datetime.timezone.utc)
        signer.sign(
            message,
            key_id=question["key_id"],
            created=moment(created),
            expires=None if expires is None else moment(expires),
            nonce=question["nonce"],
            label=question["label"],
            tag=question["tag"],
            covered_component_ids=question["components"],
            append_if_signature_exists=True,
            use_existing_digest="content-digest" in message.headers,
        )
        return message.headers.items()
    # The package always writes a time. A challenge does without, so that the two steps of sign()
    # are taken apart.
    parameters = {"keyid": question["key_id"], "alg": "hmac-sha256"}
    parameters |= {"nonce": question["nonce"], "tag": question["tag"]}
    text, node, _ = signer._build_signature_base(
        message,
        covered_component_ids=_parse_component_ids(question["components"]),
        signature_params=parameters,
    )
    prepared = PreparedSignature(text.encode(), str(node), question["label"], "hmac-sha256")
    key = bytes.fromhex(question["key"])
    made = algorithms.HMAC_SHA256(shared_secret=key).sign(prepared.signature_base)
    signer.apply(message, prepared, made, append_if_signature_exists=True)
    return message.headers.items()


def encrypt(question):
    return http_ece.encrypt(
        bytes.fromhex(question["content"]),
        salt=bytes.fromhex(question["salt"]),
        key=bytes.fromhex(question["key"]),
        keyid=question["key_id"],
        rs=question["record_size"],
        version="aes128gcm",
    ).hex()


def decrypt(question):
    content, key = bytes.fromhex(question["content"]), bytes.fromhex(question["key"])
    return http_ece.decrypt(content, key=key, version="aes128gcm").hex()


def to_sign(protected, payload):
    """The Sig_structure of a COSE_Sign1 (RFC 9052, 4.4) without external data."""
    return cbor2.dumps(["Signature1", protected, b"", payload], canonical=True)


def shown(members):
    """Pairs of a key and what JSON can hold; bytes become hexadecimal digits."""
    return [[key, {"bytes": value.hex()} if isinstance(value, bytes) else value] for key, value in members.items()]


def hidden(members):
    return {key: bytes.fromhex(value["bytes"]) if isinstance(value, dict) else value for key, value in members}


def cose_verify(question):
    """What a COSE_Sign1 with ES256 holds, if it is signed and in its one deterministic form."""
    written = bytes.fromhex(question["signed"])
    item = cbor2.loads(written)
    protected, unprotected, payload, signature = item.value
    header, members = cbor2.loads(protected), cbor2.loads(payload)
    for read, form in ((item, written), (header, protected), (members, payload)):
        if cbor2.dumps(read, canonical=True) != form:
            raise InvalidSignature("not deterministic")
    point = bytes.fromhex(question["public"])
    key = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), point)
    r, s = (int.from_bytes(signature[at : at + 32], "big") for at in (0, 32))
    der = utils.encode_dss_signature(r, s)
    key.verify(der, to_sign(protected, payload), ec.ECDSA(hashes.SHA256()))
    return [item.tag, shown(header), shown(unprotected), shown(members)]


def cose_sign(question):
    protected, payload = (cbor2.dumps(hidden(question[name]), canonical=True) for name in ("header", "members"))
    key = ec.derive_private_key(int(question["scalar"], 16), ec.SECP256R1())
    r, s = utils.decode_dss_signature(key.sign(to_sign(protected, payload), ec.ECDSA(hashes.SHA256())))
    signature = r.to_bytes(32, "big") + s.to_bytes(32, "big")
    return cbor2.dumps(cbor2.CBORTag(18, [protected, {}, payload, signature]), canonical=True).hex()


QUESTIONS = {
    function.__name__: function
    for function in (verify, base, signature, sign, encrypt, decrypt, cose_verify, cose_sign)
}

for line in sys.stdin:
    question = json.loads(line)
    try:
        answer = {"is": QUESTIONS[question["ask"]](question)}
    except (HTTPMessageSignaturesException, http_ece.ECEException, InvalidSignature) as refusal:
        answer = {"refused": str(refusal) or type(refusal).__name__}
    print(json.dumps(answer), flush=True)
