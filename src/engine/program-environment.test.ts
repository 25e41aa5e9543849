import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { batchTestSchema } from '../api/v1alpha1/schema.ts';
import type { Trial } from '../core/trial.ts';
import {
  escapeReferences,
  expandReferences,
  programEnvironment,
  programOf,
  trialVariables,
} from './program-environment.ts';

describe('expandReferences', () => {
  const variables = new Map([
    ['VAR_A', 'A'],
    ['VAR_B', 'B'],
    ['VAR_C', 'C'],
    ['VAR_REF', '$(VAR_A)'],
    ['VAR_EMPTY', ''],
  ]);

  // The table of expand_test.go in Kubernetes v1.34.4, third_party/forked/golang/expansion (Apache-2.0).
  it.each([
    ['whole string', '$(VAR_A)', 'A'],
    ['repeat', '$(VAR_A)-$(VAR_A)', 'A-A'],
    ['beginning', '$(VAR_A)-1', 'A-1'],
    ['middle', '___$(VAR_B)___', '___B___'],
    ['end', '___$(VAR_C)', '___C'],
    ['compound', '$(VAR_A)_$(VAR_B)_$(VAR_C)', 'A_B_C'],
    ['escape & expand', '$$(VAR_B)_$(VAR_A)', '$(VAR_B)_A'],
    ['compound escape', '$$(VAR_A)_$$(VAR_B)', '$(VAR_A)_$(VAR_B)'],
    ['mixed in escapes', 'f000-$$VAR_A', 'f000-$VAR_A'],
    ['backslash escape ignored', 'foo\\$(VAR_C)bar', 'foo\\Cbar'],
    ['two backslashes ignored', 'foo\\\\$(VAR_C)bar', 'foo\\\\Cbar'],
    ['lots of backslashes', 'foo\\\\\\\\$(VAR_A)bar', 'foo\\\\\\\\Abar'],
    ['nested var references', '$(VAR_A$(VAR_B))', '$(VAR_A$(VAR_B))'],
    ['nested var references second type', '$(VAR_A$(VAR_B)', '$(VAR_A$(VAR_B)'],
    ['value is a reference', '$(VAR_REF)', '$(VAR_A)'],
    ['value is a reference x 2', '%%$(VAR_REF)--$(VAR_REF)%%', '%%$(VAR_A)--$(VAR_A)%%'],
    ['empty var', 'foo$(VAR_EMPTY)bar', 'foobar'],
    ['unterminated expression', 'foo$(VAR_Awhoops!', 'foo$(VAR_Awhoops!'],
    ['expression without operator', 'f00__(VAR_A)__', 'f00__(VAR_A)__'],
    ['shell special vars pass through', '$?_boo_$!', '$?_boo_$!'],
    ['bare operators are ignored', '$VAR_A', '$VAR_A'],
    ['undefined vars are passed through', '$(VAR_DNE)', '$(VAR_DNE)'],
    ['multiple (even) operators, var undefined', '$$$$$$(BIG_MONEY)', '$$$(BIG_MONEY)'],
    ['multiple (even) operators, var defined', '$$$$$$(VAR_A)', '$$$(VAR_A)'],
    ['multiple (odd) operators, var undefined', '$$$$$$$(GOOD_ODDS)', '$$$$(GOOD_ODDS)'],
    ['multiple (odd) operators, var defined', '$$$$$$$(VAR_A)', '$$$A'],
    ['missing open expression', '$VAR_A)', '$VAR_A)'],
    // biome-ignore lint/suspicious/noTemplateCurlyInString: a shell's syntax, not a template string
    ['shell syntax ignored', '${VAR_A}', '${VAR_A}'],
    ['trailing incomplete expression not consumed', '$(VAR_B)_______$(A', 'B_______$(A'],
    ['trailing incomplete expression, no content', '$(VAR_C)_______$(', 'C_______$('],
    ['operator at end of input string is preserved', '$(VAR_A)foobarzab$', 'Afoobarzab$'],
    ['shell escaped incomplete expr', 'foo-\\$(VAR_A', 'foo-\\$(VAR_A'],
    ['lots of $( in middle', '--$($($($($--', '--$($($($($--'],
    ['lots of $( in beginning', '$($($($($--foo$(', '$($($($($--foo$('],
    ['lots of $( at end', 'foo0--$($($($(', 'foo0--$($($($('],
    ['escaped operators in variable names are not escaped', '$(foo$$var)', '$(foo$$var)'],
    ['newline not expanded', '\n', '\n'],
    ['dollar sign followed by non-ASCII UTF-8 character', '$£FOO', '$£FOO'],
    ['dollar sign followed by multi-byte UTF-8 character', 'prefix-$€-suffix', 'prefix-$€-suffix'],
    ['dollar sign followed by Chinese character', '$中文', '$中文'],
  ])('does as Kubernetes does: %s', (_, input, expected) => {
    expect(expandReferences(input, variables)).toBe(expected);
  });

  it('takes over a value with $ signs, which mean something to String.replace, as it is', () => {
    expect(expandReferences('<$(X)>', new Map([['X', "$& $1 $' $$"]]))).toBe("<$& $1 $' $$>");
  });

  it('knows no variable that was not given, such as a property of every object', () => {
    expect(expandReferences('$(constructor) $(__proto__) $()', variables)).toBe(
      '$(constructor) $(__proto__) $()',
    );
  });

  it('gives back any text that was escaped', () => {
    const text = fc.string({ unit: fc.constantFrom('$', '(', ')', 'VAR_A', 'é', '\\', '{', ' ') });
    fc.assert(
      fc.property(text, (literal) => {
        expect(expandReferences(escapeReferences(literal), variables)).toBe(literal);
      }),
    );
  });

  it('takes linear time, however many references are never closed', () => {
    const hostile = '$('.repeat(50_000);
    expect(expandReferences(hostile, variables)).toBe(hostile);
  });
});

const trial = (parameters: Record<string, string>): Trial => ({
  variant: { id: '0123456789abcdef', name: 'naïve "lru" $(X)', parameters },
  repetition: 4,
});

describe('the environment of a program', () => {
  it('tells variant, parameters, repetition and where the result goes', () => {
    const variables = trialVariables(trial({ CACHE: 'lru', SPACE: ' a "b" ' }), '/dev/termination-log');
    expect(Object.fromEntries(variables)).toEqual({
      CACHE: 'lru',
      SPACE: ' a "b" ',
      BATCHTEST_VARIANT: 'naïve "lru" $(X)',
      BATCHTEST_PARAMETERS: '{"CACHE":"lru","SPACE":" a \\"b\\" "}',
      BATCHTEST_REPETITION: '4',
      BATCHTEST_RESULT_FILE: '/dev/termination-log',
    });
  });

  it('is in the same order, whatever order the parameters come in', () => {
    const [one, other] = [
      { N: '1', CACHE: 'lru' },
      { CACHE: 'lru', N: '1' },
    ].map((parameters) => [...trialVariables(trial(parameters), '/r')]);
    expect(one).toEqual(other);
  });

  it('lets BATCHTEST_ variables win over parameters, and both over what is declared', () => {
    const fixed = trialVariables(trial({ MODE: 'fast', BATCHTEST_REPETITION: 'forged' }), '/r');
    const environment = programEnvironment(fixed, [
      { name: 'MODE', value: 'slow' },
      { name: 'BATCHTEST_VARIANT', value: 'forged' },
      { name: 'OTHER', value: 'kept' },
    ]);
    expect(environment.get('MODE')).toBe('fast');
    expect(environment.get('BATCHTEST_VARIANT')).toBe('naïve "lru" $(X)');
    expect(environment.get('BATCHTEST_REPETITION')).toBe('4');
    expect(environment.get('OTHER')).toBe('kept');
  });

  it('expands references in declared values to parameters and to earlier entries only', () => {
    // FOO, ZOO and BLU are TestMapReference of the same Kubernetes package.
    const environment = programEnvironment(trialVariables(trial({ CACHE: 'lru' }), '/r'), [
      { name: 'EARLY', value: '$(FOO)' },
      { name: 'FOO', value: 'bar' },
      { name: 'ZOO', value: '$(FOO)-1' },
      { name: 'BLU', value: '$(ZOO)-2' },
      { name: 'FLAGS', value: '--cache=$(CACHE) $$(CACHE)' },
      { name: 'FOO', value: '$(FOO)$(FOO)' },
      { name: 'NOTHING' },
    ]);
    expect(environment.get('EARLY')).toBe('$(FOO)');
    expect(environment.get('ZOO')).toBe('bar-1');
    expect(environment.get('BLU')).toBe('bar-1-2');
    expect(environment.get('FLAGS')).toBe('--cache=lru $(CACHE)');
    expect(environment.get('FOO')).toBe('barbar');
    expect(environment.get('NOTHING')).toBe('');
  });

  it('takes parameters literally', () => {
    const environment = programEnvironment(trialVariables(trial({ A: '$(B) $$', B: 'b' }), '/r'), []);
    expect(environment.get('A')).toBe('$(B) $$');
  });
});

describe('programOf', () => {
  const manifest = (annotations: Record<string, string>) =>
    batchTestSchema.parse({
      apiVersion: 'batchtest.dev/v1alpha1',
      kind: 'BatchTest',
      metadata: { name: 'sample' },
      spec: {
        variants: [{ name: 'a' }],
        objective: { metrics: [{ name: 'x', goal: 'minimize' }] },
        template: {
          metadata: { annotations },
          spec: {
            containers: [
              { name: 'first', image: 'i' },
              { name: 'second', image: 'i' },
            ],
          },
        },
      },
    });

  it('is the first container', () => {
    expect(programOf(manifest({})).name).toBe('first');
  });

  it('is the container that the annotation of kubectl names, when there is one of that name', () => {
    expect(programOf(manifest({ 'kubectl.kubernetes.io/default-container': 'second' })).name).toBe('second');
    expect(programOf(manifest({ 'kubectl.kubernetes.io/default-container': 'none' })).name).toBe('first');
  });
});
