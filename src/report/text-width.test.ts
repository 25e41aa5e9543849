import { describe, expect, it } from 'vitest';
import { cutEnd, cutMiddle, textWidth } from './text-width.ts';

describe('the width of text', () => {
  it.each([
    ['arc-8', 5],
    ['41.2 ± 0.8', 10],
    ['日本語', 6],
    ['e\u0301', 1],
    ['👩‍🚀', 2],
    ['★ ↵ ━', 5],
  ])('of %s is %i columns', (text, width) => {
    expect(textWidth(text)).toBe(width);
  });

  it.each([
    [5, 'arc-8', 'arc-8'],
    [4, 'arc-8', 'arc…'],
    [5, '日本語', '日本…'],
    [4, '日本語', '日…'],
    [1, 'arc-8', '…'],
    [0, 'arc-8', ''],
  ])('is at most %i columns after cutting the end of %s', (width, text, expected) => {
    expect(cutEnd(text, width)).toBe(expected);
  });

  it.each([
    [9, 'production-arc-8', 'prod…rc-8'],
    [8, 'production-arc-8', 'prod…c-8'],
    [6, '日本語テスト', '日…ト'],
    [1, 'production', '…'],
    [0, 'production', ''],
  ])('is at most %i columns after cutting the middle of %s', (width, text, expected) => {
    expect(cutMiddle(text, width)).toBe(expected);
    expect(textWidth(expected)).toBeLessThanOrEqual(width);
  });
});
