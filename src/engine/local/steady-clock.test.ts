import { expect, it, onTestFinished } from 'vitest';
import { steadyClock } from './steady-clock.ts';

it('begins with the time of day and goes on from there, whatever that is set to', () => {
  const timeOfDay = Date.now;
  onTestFinished(() => {
    Date.now = timeOfDay;
  });
  const now = steadyClock();
  const began = now();
  expect(Math.abs(began - Date.now())).toBeLessThan(1_000);
  for (const offMs of [-7_200_000, 7_200_000]) {
    Date.now = () => timeOfDay() + offMs;
    expect(now()).toBeGreaterThanOrEqual(began);
    expect(now()).toBeLessThan(began + 60_000);
  }
});
