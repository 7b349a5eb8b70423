/** A text as a field of CSV (RFC 4180): in quotes where it must be, and when it is empty, for what is nothing at all is NULL. */
export function csvField(text: string): string {
  return text === '' || /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
