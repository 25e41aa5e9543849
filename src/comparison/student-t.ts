/**
 * Student's t distribution. Written here because what npm has does not fit: jstat is good to eight digits only,
 * @stdlib/stats-base-dists-t-* brings more than 200 packages of 27 MB, and cephes has an ES module for browsers only.
 * student-t.test.ts compares it with published tables and with scipy.
 */
import { gammaln } from 'simple-statistics';

/** Terms of a continued fraction, far beyond what it needs: about the square root of the degrees of freedom. */
const MOST_TERMS = 100_000;
const PRECISION = 1e-15;
/** Keeps Lentz's method from dividing by zero. */
const TINY = 1e-300;
const MOST_STEPS = 200;

/**
 * The probability that the absolute value of a t-distributed number is at least |t|: the p-value of a two-sided test.
 * P = I_x(df/2, 1/2) with x = df / (df + t²): NIST Digital Library of Mathematical Functions 8.17, Abramowitz & Stegun 26.7.1.
 * @param df degrees of freedom, at least 1; need not be whole
 */
export function twoSidedPValue(t: number, df: number): number {
  const squared = (t / Math.sqrt(df)) ** 2;
  return regularisedIncompleteBeta(1 / (1 + squared), 1 / (1 + 1 / squared), df / 2, 0.5);
}

/**
 * The t that the absolute value of a t-distributed number stays below with a probability: the factor of a two-sided interval.
 * Newton's method; since the p-value is convex in t > 0, it approaches from below and cannot overshoot.
 * @param confidence in [0.5, 1)
 */
export function criticalValue(confidence: number, df: number): number {
  const wanted = 1 - confidence;
  let t = 1;
  for (let step = 0; step < MOST_STEPS; step += 1) {
    const change = (twoSidedPValue(t, df) - wanted) / (2 * density(t, df));
    t += change;
    if (Math.abs(change) <= 1e-13 * t) break;
  }
  return t;
}

/** {@link criticalValue} of one confidence. It remembers what it found: the variants of a run have few numbers of trials. */
export function criticalValues(confidence: number): (df: number) => number {
  const found = new Map<number, number>();
  return (df) => {
    const known = found.get(df);
    if (known !== undefined) return known;
    const value = criticalValue(confidence, df);
    found.set(df, value);
    return value;
  };
}

/** A & S 26.7.1. */
const density = (t: number, df: number): number =>
  Math.exp(
    gammaln((df + 1) / 2) -
      gammaln(df / 2) -
      0.5 * Math.log(df * Math.PI) -
      ((df + 1) / 2) * Math.log1p((t * t) / df),
  );

/**
 * I_x(a, b), where y = 1 − x is given as well because it would be lost when x is near 1.
 * By the continued fraction DLMF 8.17.22, on the side on which it converges fast (8.17.4).
 */
function regularisedIncompleteBeta(x: number, y: number, a: number, b: number): number {
  if (x <= 0) return 0;
  if (y <= 0) return 1;
  const logPower = a * logOf(x, y) + b * logOf(y, x) - (gammaln(a) + gammaln(b) - gammaln(a + b));
  return x < (a + 1) / (a + b + 2)
    ? Math.exp(logPower - Math.log(a)) * continuedFraction(x, a, b)
    : 1 - Math.exp(logPower - Math.log(b)) * continuedFraction(y, b, a);
}

/** The logarithm of a number in (0, 1), also when it is near 1, by its distance from 1. */
const logOf = (value: number, rest: number): number => (value < 0.5 ? Math.log(value) : Math.log1p(-rest));

/** 1 / (1 + d₁ / (1 + d₂ / (1 + …))) of DLMF 8.17.23, by the modified method of Lentz (Thompson & Barnett 1986). */
function continuedFraction(x: number, a: number, b: number): number {
  let c = 1;
  let d = 0;
  let denominator = 1;
  for (let term = 1; term < MOST_TERMS; term += 1) {
    const coefficient = coefficientOf(term, x, a, b);
    d = 1 / apartFromZero(1 + coefficient * d);
    c = apartFromZero(1 + coefficient / c);
    denominator *= c * d;
    if (Math.abs(c * d - 1) < PRECISION) break;
  }
  return 1 / denominator;
}

function coefficientOf(term: number, x: number, a: number, b: number): number {
  const m = Math.floor(term / 2);
  return term % 2 === 0
    ? (m * (b - m) * x) / ((a + 2 * m - 1) * (a + 2 * m))
    : (-(a + m) * (a + b + m) * x) / ((a + 2 * m) * (a + 2 * m + 1));
}

const apartFromZero = (value: number): number => (Math.abs(value) < TINY ? TINY : value);
