/**
 * SQL that replaces texts of a function, whatever else it has become.
 * @param migration its number
 * @param does what the function does with them, for the error when one of them is not in it
 */
export const patched = (
  migration: string,
  name: string,
  does: string,
  replacements: readonly (readonly [text: string, by: string])[],
): string => `do $$
declare
  definition text := pg_get_functiondef('batchtest.${name}'::regproc);
begin
  if ${replacements.map(([text]) => `position('${text}' in definition) = 0`).join(' or ')} then
    raise exception '${name} does not ${does} as migration ${migration} expects';
  end if;
  execute ${replacements.reduce((sql, [text, by]) => `replace(${sql}, '${text}', '${by}')`, 'definition')};
end $$;`;
