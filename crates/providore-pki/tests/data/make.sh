#!/bin/sh
# Makes the requests in this folder anew, with OpenSSL 3. They also seed the fuzz targets.
set -eu
cd "$(dirname "$0")"
work=$(mktemp -d)
trap 'rm -r "$work"' EXIT

# request NAME SUBJECT KEY-OPTIONS...
request() {
    name=$1 subject=$2
    shift 2
    openssl req -new -nodes -keyout "$work/key.pem" -subj "$subject" "$@" -out "$name.pem" 2>/dev/null
}
p256="-newkey ec -pkeyopt ec_paramgen_curve:P-256"

# accepted
request p256 /CN=abc123 $p256
request p384-sha256 /CN=abc123 -newkey ec -pkeyopt ec_paramgen_curve:P-384
request p384-sha384 /CN=abc123 -newkey ec -pkeyopt ec_paramgen_curve:P-384 -sha384
request rsa-2048 /C=AU/ST=Victoria/L=Melbourne/O=Example/CN=abc123 -newkey rsa:2048
request rsa-4096 /CN=abc123 -newkey rsa:4096
request new-label /CN=abc123 $p256 -newhdr
request extensions /CN=abc123 $p256 -addext subjectAltName=DNS:admin -addext basicConstraints=critical,CA:TRUE

# refused
request rsa-512 /CN=abc123 -newkey rsa:512
request rsa-1024 /CN=abc123 -newkey rsa:1024
request rsa-4104 /CN=abc123 -newkey rsa:4104
request rsa-exponent-3 /CN=abc123 -newkey rsa:2048 -pkeyopt rsa_keygen_pubexp:3
request rsa-sha1 /CN=abc123 -newkey rsa:2048 -sha1
request p256-sha1 /CN=abc123 $p256 -sha1
request p256-sha512 /CN=abc123 $p256 -sha512
request p521 /CN=abc123 -newkey ec -pkeyopt ec_paramgen_curve:P-521
request secp256k1 /CN=abc123 -newkey ec -pkeyopt ec_paramgen_curve:secp256k1
request explicit-curve /CN=abc123 $p256 -pkeyopt ec_param_enc:explicit
request ed25519 /CN=abc123 -newkey ed25519
request rsa-pss /CN=abc123 -newkey rsa-pss
request no-common-name /O=abc123 $p256
request two-common-names /CN=abc123/CN=admin $p256
request two-common-names-swapped /CN=admin/CN=abc123 $p256
request slash-in-organization '/O=x\/CN=abc123/CN=admin' $p256
request multi-valued /CN=abc123+OU=x $p256
request multi-valued-names /OU=x/CN=admin+CN=abc123 $p256
request other-device /CN=admin $p256
request many-parts /O=1/O=2/O=3/O=4/O=5/O=6/O=7/O=8/O=9/O=10/O=11/O=12/O=13/O=14/O=15/O=16/CN=abc123 $p256

openssl ec -in "$work/key.pem" -conv_form compressed -out "$work/compressed.pem" 2>/dev/null
openssl req -new -key "$work/compressed.pem" -subj /CN=abc123 -out compressed-point.pem

printf '[req]\nprompt=no\ndistinguished_name=dn\nstring_mask=MASK:0x800\n[dn]\nCN=abc123\n' >"$work/bmp.cnf"
openssl req -new -key "$work/key.pem" -config "$work/bmp.cnf" -out bmp-string.pem
{
    printf '[req]\nprompt=no\ndistinguished_name=dn\nreq_extensions=ext\n[dn]\nCN=abc123\n[ext]\n'
    for i in $(seq 1 17); do printf '1.3.6.1.4.1.32473.%s=ASN1:NULL\n' "$i"; done
} >"$work/many.cnf"
openssl req -new -key "$work/key.pem" -config "$work/many.cnf" -out many-extensions.pem

# a certificate and a revocation list
openssl req -x509 -key "$work/key.pem" -subj /CN=Root -days 3650 -out certificate.pem
printf '[ca]\ndefault_ca=a\n[a]\ndatabase=%s/index\ncrlnumber=%s/number\ndefault_md=sha256\n' "$work" "$work" >"$work/ca.cnf"
printf 'R\t350101000000Z\t260101000000Z,keyCompromise\t0123456789ABCDEF\tunknown\t/CN=abc123\n' >"$work/index"
echo 2A >"$work/number"
openssl ca -config "$work/ca.cnf" -gencrl -keyfile "$work/key.pem" -cert certificate.pem -crldays 30 -out revocation-list.pem 2>/dev/null
