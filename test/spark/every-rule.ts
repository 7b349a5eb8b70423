/** An input in which every reason for a reject occurs, and every kind of rule bites; some of it in fields with quotes, in several files with other orders of columns. */

const [ID, USER] = ['i'.repeat(8193), 'u'.repeat(8193)];

export function everyRule(): { readonly files: Readonly<Record<string, string | Buffer>>; readonly options: readonly string[]; readonly reasons: readonly string[] } {
  const header = 'log_id,user_id,timestamp,ip_address,watch_time(min),device,note';
  const row = (id: string, changed: Partial<Record<'user' | 'time' | 'ip' | 'value' | 'device' | 'note', string>> = {}): string => {
    const { user = 'ann', time = '2026-01-01T00:00:00Z', ip = '80.1.2.3', value = '5.25', device = 'tv', note = 'n1' } = changed;
    return [id, user, time, ip, value, device, note].join(',');
  };
  const first = [
    header, row('1'), row('2', { user: '"two\nlines, and ""quotes"""' }), row('1'), row('3', { value: '0.50' }),
    'only,three,fields', row('bad"quote'), row('4', { user: '"closed" and more' }), row('', {}), row(ID), row('5', { user: '' }), row('6', { user: USER }),
    row('7', { value: '' }), row('8', { value: 'much' }), row('9', { value: '1.2345678' }), row('10', { value: '99999999999999999999' }),
    row('11', { value: '-1' }), row('12', { value: '1440.01' }), row('13', { time: 'yesterday' }), row('14', { time: '2026-02-29' }), row('15', { time: '' }),
    row('16', { ip: 'nowhere' }), row('17', { ip: ' 2001:db8::1 ' }), row('18', { device: 'toaster' }), row('19', { device: '' }), row('20', { note: 'x' }),
    row('21', { note: '"n22"' }), row('22', { note: 'n٣' }), row('23', { user: `"${'long '.repeat(500)}"` }), row('24', { user: 'x'.repeat(70_000) }), '', row('25'), row('0'), row('00.0e'),
  ].join('\n');
  const invalid = Buffer.concat([Buffer.from(`${header}\r\n${row('30')}\r\n31,`), Buffer.from([0xff, 0xc3]), Buffer.from(`,2026-01-01,80.1.2.3,1,tv,n1\r\n${row('1', { user: 'bob' })}`)]);
  const other = [
    'note;not this;watch_time(min);log_id;user_id;device;ip_address;timestamp'.replaceAll(';', ','),
    'n1,,7,40,"zoë",tv,2a00:1450:4001:80b::200e,2026-01-01 10:00', 'n2,,7,41,ann,phone,::ffff:80.1.2.3,2026-01-01', 'n2,,,42,ann,phone,::1,2026-01-01', 'n2,,7,1,late,phone,1.1.1.1,2026-01-01',
  ].join('\r');
  // A quote that is never closed, and the records that it took with it.
  const unclosed = [header, row('50'), row('51', { user: '"never closed' }), ...Array.from({ length: 30 }, (_, i) => row(String(52 + i)))].join('\n');
  return {
    files: { 'a.csv': first, 'b.csv': invalid, 'c.csv': other, 'd.csv': unclosed },
    options: [
      '--max-record', '60000', '--value-scale', '2',
      '--rule', 'timestamp:required', '--rule', 'timestamp:type=timestamp', '--rule', 'ip_address:type=ip', '--rule', 'device:one-of=tv|phone', '--rule', 'device:optional',
      '--rule', 'note:pattern=n\\d+', '--rule', 'user_id:pattern=[^]{0,300}', '--rule', 'log_id:type=integer', '--rule', 'log_id:min=.5',
      '--rule', 'log_id:max=99999',
    ],
    reasons: [
      'bad_quote', 'bad_value', 'field_count', 'id_too_long', 'invalid_utf8', 'missing_id', 'missing_user', 'missing_value', 'record_too_long', 'rule device:one-of=tv|phone',
      'rule ip_address:type=ip', 'rule log_id:min=.5', 'rule log_id:type=integer', 'rule note:pattern=n\\d+', 'rule timestamp:required', 'rule timestamp:type=timestamp', 'rule user_id:pattern=[^]{0,300}',
      'rule watch_time(min):max=1440', 'rule watch_time(min):min=0', 'unterminated_quote', 'user_too_long', 'value_precision', 'value_range',
    ],
  };
}
