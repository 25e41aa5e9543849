/** Text as it may stand in a cell of a table. */
export const escaped = (text: string): string => text.replaceAll('|', '\\|').replaceAll('<', '&lt;');
