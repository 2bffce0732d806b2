//! ECDSA verification on P-256 (FIPS 186-5, 6.4.2) in little flash.
//!
//! It stands in for the one of `p256`, which is fast by tables and by an arithmetic of its own for
//! each of the two moduli: too large for a small device that verifies a manifest once in a while.
//! Here both moduli share one multiplication, that of `crypto-bigint`, and one formula adds any two
//! points. All that goes in is public, so the time it takes may depend on it: no secret may be
//! given to this module. The tests compare it with `p256`.

use core::cmp::Ordering;

use p256::elliptic_curve::bigint::{U256, const_monty_params, modular::ConstMontyForm};

// The curve: SP 800-186, 3.2.1.3.
const_monty_params!(
    Field,
    U256,
    "ffffffff00000001000000000000000000000000ffffffffffffffffffffffff"
);
const_monty_params!(
    Order,
    U256,
    "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551"
);

/// Modulo p.
type Element = ConstMontyForm<Field, { U256::LIMBS }>;
/// Modulo n, the order of the curve.
type Scalar = ConstMontyForm<Order, { U256::LIMBS }>;

const B: Element = element("5ac635d8aa3a93e7b3ebbd55769886bc651d06b0cc53b0f63bce3c3e27d2604b");
const G: Point = Point {
    x: element("6b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296"),
    y: element("4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5"),
    z: Element::ONE,
};

/// p - n.
const BEYOND: U256 = Element::MODULUS
    .as_ref()
    .wrapping_sub(Scalar::MODULUS.as_ref());
/// n modulo p, which is n.
const N: Element = Element::new(Scalar::MODULUS.as_ref());
const N_MINUS_2: U256 = Scalar::MODULUS.as_ref().wrapping_sub(&U256::from_u8(2));

const fn element(hex: &str) -> Element {
    Element::new(&U256::from_be_hex(hex))
}

/// The point (x/z, y/z); z = 0 is the one at infinity.
#[derive(Clone, Copy)]
struct Point {
    x: Element,
    y: Element,
    z: Element,
}

const INFINITY: Point = Point {
    x: Element::ZERO,
    y: Element::ONE,
    z: Element::ZERO,
};

/// Whether this is an uncompressed point on the curve (SEC 1, 2.3.4).
pub(super) fn is_point(sec1: &[u8; 65]) -> bool {
    point(sec1).is_some()
}

// Not in the caller, whose stack frame would grow.
/// Whether `signature` is `r || s` of the key with this point, over the message with this digest.
#[inline(never)]
pub(super) fn verifies(sec1: &[u8; 65], digest: &[u8; 32], signature: &[u8; 64]) -> bool {
    let (Some(key), Some((r, s))) = (point(sec1), pair(signature)) else {
        return false;
    };
    if !is_in_range(&r) || !is_in_range(&s) {
        return false;
    }
    let inverse = invert(&s);
    let digest = integer(digest);
    let sum = multiply_add(&times(&digest, &inverse), &times(&r, &inverse), &key);
    has_x(&sum, &r)
}

fn is_in_range(number: &U256) -> bool {
    !number.is_zero_vartime() && is_below(number, Scalar::MODULUS.as_ref())
}

/// Whether the affine x of this point is `r` modulo n.
fn has_x(point: &Point, r: &U256) -> bool {
    let x = Element::new(r);
    let is_x = |x: &Element| are_equal(&mul(x, &point.z), &point.x);
    // x is below p, and n < p < 2n: besides r only r + n can be it.
    !are_equal(&point.z, &Element::ZERO) && (is_x(&x) || is_below(r, &BEYOND) && is_x(&sum(&x, &N)))
}

/// k·G + l·Q: both by doubling and adding, at once.
fn multiply_add(k: &U256, l: &U256, q: &Point) -> Point {
    let both = add(&G, q);
    let mut sum = INFINITY;
    for bit in (0..U256::BITS).rev() {
        sum = add(&sum, &sum);
        let addend = match (k.bit_vartime(bit), l.bit_vartime(bit)) {
            (true, true) => &both,
            (true, false) => &G,
            (false, true) => q,
            (false, false) => continue,
        };
        sum = add(&sum, addend);
    }
    sum
}

/// The sum of any two points, also of equal ones and with the one at infinity: algorithm 4 of
/// Renes, Costello and Batina, "Complete addition formulas for prime order elliptic curves"
/// (2015), in other words.
#[inline(never)]
fn add(p: &Point, q: &Point) -> Point {
    let xx = mul(&p.x, &q.x);
    let yy = mul(&p.y, &q.y);
    let zz = mul(&p.z, &q.z);
    let xy = cross((&p.x, &p.y), (&q.x, &q.y), (&xx, &yy));
    let yz = cross((&p.y, &p.z), (&q.y, &q.z), (&yy, &zz));
    let xz = cross((&p.x, &p.z), (&q.x, &q.z), (&xx, &zz));
    let zz3 = triple(&zz);
    let shift = triple(&sub(&xz, &mul(&B, &zz)));
    let bxz3 = triple(&sub(&sub(&mul(&B, &xz), &zz3), &xx));
    let xx3 = sub(&triple(&xx), &zz3);
    let (less, more) = (sub(&yy, &shift), sum(&yy, &shift));
    Point {
        x: sub(&mul(&more, &xy), &mul(&yz, &bxz3)),
        y: sum(&mul(&more, &less), &mul(&xx3, &bxz3)),
        z: sum(&mul(&less, &yz), &mul(&xy, &xx3)),
    }
}

/// p₁q₂ + p₂q₁, where p₁q₁ and p₂q₂ are known.
#[inline(never)]
fn cross(p: (&Element, &Element), q: (&Element, &Element), known: (&Element, &Element)) -> Element {
    let product = mul(&sum(p.0, p.1), &sum(q.0, q.1));
    sub(&sub(&product, known.0), known.1)
}

/// The key's point; never the one at infinity, which has no uncompressed form.
fn point(sec1: &[u8; 65]) -> Option<Point> {
    let [4, coordinates @ ..] = sec1 else {
        return None;
    };
    let (x, y) = pair(coordinates)?;
    let p = Element::MODULUS;
    if !is_below(&x, p.as_ref()) || !is_below(&y, p.as_ref()) {
        return None;
    }
    let (x, y) = (Element::new(&x), Element::new(&y));
    // y² = x³ - 3x + b
    let cube = mul(&mul(&x, &x), &x);
    let right = sum(&sub(&cube, &triple(&x)), &B);
    are_equal(&mul(&y, &y), &right).then_some(Point {
        x,
        y,
        z: Element::ONE,
    })
}

/// 1/s by Fermat: to the power of n - 2.
fn invert(s: &U256) -> Scalar {
    let s = Scalar::new(s);
    let mut power = Scalar::ONE;
    for bit in (0..U256::BITS).rev() {
        power = power.mul(&power);
        if N_MINUS_2.bit_vartime(bit) {
            power = power.mul(&s);
        }
    }
    power
}

/// The product modulo n, as a number.
fn times(number: &U256, factor: &Scalar) -> U256 {
    // The factor is in Montgomery form, times R: what would divide the product of two of these by
    // R makes an ordinary number of it.
    Scalar::from_montgomery(*number).mul(factor).to_montgomery()
}

// The operations on elements, each once in a program.

#[inline(never)]
fn mul(a: &Element, b: &Element) -> Element {
    a.mul(b)
}

#[inline(never)]
fn sum(a: &Element, b: &Element) -> Element {
    // Nothing else is added: that takes less code than the sum of the library.
    sub(a, &sub(&Element::ZERO, b))
}

#[inline(never)]
fn sub(a: &Element, b: &Element) -> Element {
    a.sub(b)
}

#[inline(never)]
fn triple(a: &Element) -> Element {
    sum(&sum(a, a), a)
}

fn is_below(a: &U256, b: &U256) -> bool {
    compare(a, b).is_lt()
}

fn are_equal(a: &Element, b: &Element) -> bool {
    compare(a.as_montgomery(), b.as_montgomery()).is_eq()
}

#[inline(never)]
fn compare(a: &U256, b: &U256) -> Ordering {
    a.cmp_vartime(b)
}

/// Two numbers of 32 bytes.
fn pair(bytes: &[u8; 64]) -> Option<(U256, U256)> {
    let ([first, second], _) = bytes.as_chunks() else {
        return None;
    };
    Some((integer(first), integer(second)))
}

#[inline(never)]
fn integer(bytes: &[u8; 32]) -> U256 {
    U256::from_be_slice(bytes)
}

#[cfg(test)]
mod tests;
