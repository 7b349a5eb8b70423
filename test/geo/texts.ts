/** Texts that are addresses, texts that are none, and how to make more of both. */

export const valid = [
  '0.0.0.0', '255.255.255.255', '1.2.3.4', '10.20.30.40', '192.168.100.200', '::', '::1', '1::', '1::8', '1:2:3:4:5:6:7:8', '::2:3:4:5:6:7:8',
  '1::3:4:5:6:7:8', '1:2:3:4:5:6:7::', '1:2:3:4:5:6::8', '::1.2.3.4', '::ffff:255.255.255.255', '1:2:3:4:5:6:1.2.3.4',
  '1:2:3:4:5::1.2.3.4', '1:2::5:1.2.3.4', 'ABCD:EF01:2345:6789:abcd:ef01:255.255.255.255', 'fe80::1%eth0', 'fe80::1%1', '::%a.b:c-d',
  '1:2:3:4:5:6:1.2.3.4%zone', 'ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff',
];
export const invalid = [
  '', ' ', ':', ':::', '1', '1.2.3', '1.2.3.4.5', '1.2.3.', '.1.2.3', '1..2.3', '01.2.3.4', '1.2.3.04', '1.2.3.256', '1.2.3.999', '1.2.3.4 5',
  '1.2.3.-4', '1.2.3.4%eth0', '1.2.3.a', '1.2.3.4\n', '1.2.3.4\u00a0', '1.2.3.1000', '1:2:3:4:5:6:7', '1:2:3:4:5:6:7:8:9', '1:2:3:4:5:6:7:8::',
  '::1:2:3:4:5:6:7:8', '1::2::3', '1:::2', ':1::2', '1::2:', '1:', ':1', '12345::', 'g::', '::%', 'fe80::1%', 'fe80::1%eth 0', 'fe80::1%eth%0',
  '::1.2.3.4:5', '1.2.3.4::', '::1.2.3', '::01.2.3.4', '1:2:3:4:5:6:7:1.2.3.4', '1:2:3:4:5:6::1.2.3.4', '1::2.3::4', '%eth0', 'null', '-', '１.2.3.4',
  '1.2.3.4/24', '[::1]', '0x1.2.3.4', '1:2:3:4:5:6:7:8%'.padEnd(200, ' x'), ':'.repeat(300), '1'.repeat(300), '.'.repeat(300),
];
/** The bytes that mean something, and their neighbours. */
const alphabet = '0123456789abcfgABFG.:::%-/;@`\0 \t\u00ff';

export function mutate(text: string, next: () => number): string {
  const at = Math.floor(next() * (text.length + 1));
  const letter = alphabet[Math.floor(next() * alphabet.length)]!;
  switch (Math.floor(next() * 5)) {
    case 0: return text.slice(0, at) + letter + text.slice(at);
    case 1: return text.slice(0, at) + text.slice(at + 1);
    case 2: return text.slice(0, at) + letter + text.slice(at + 1);
    case 3: return text.slice(0, at) + text.slice(Math.floor(next() * (text.length + 1)));
    default: return text + valid[Math.floor(next() * valid.length)]!.slice(at);
  }
}
