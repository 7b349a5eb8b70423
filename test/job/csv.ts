/** CSV by RFC 4180, of rows of texts. */
export function stringify(rows: readonly (readonly string[])[]): string {
  return rows.map((fields) => `${fields.map((field) => `"${field.replaceAll('"', '""')}"`).join(',')}\r\n`).join('');
}
