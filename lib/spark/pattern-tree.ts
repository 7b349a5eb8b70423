/** What is asked of the syntax tree of a pattern before it is written for Java. */
import type { AST } from '@eslint-community/regexpp';

/** Whether the group stands before the reference, and between it and what both stand in is nothing that repeats, or chooses. */
export function precedes(group: AST.CapturingGroup, reference: AST.Backreference): boolean {
  const around = new Set<AST.Node>();
  for (let node: AST.Node | null = reference; node; node = node.parent) around.add(node);
  let node: AST.Node = group;
  while (node.parent && !around.has(node.parent)) {
    const parent: AST.Node = node.parent;
    if (parent.type === 'Quantifier' || parent.type === 'Assertion') return false;
    if ('alternatives' in parent && parent.alternatives.length > 1) return false;
    node = parent;
  }
  return node.parent?.type === 'Alternative' && !around.has(group) && group.end <= reference.start;
}

/** Whether it may take nothing. */
export function mayBeEmpty(node: AST.Element): boolean {
  switch (node.type) {
    case 'Assertion':
    case 'Backreference':
      return true;
    case 'Quantifier':
      return node.min === 0 || mayBeEmpty(node.element);
    case 'Group':
    case 'CapturingGroup':
      return node.alternatives.some(({ elements }) => elements.every(mayBeEmpty));
    default:
      return false;
  }
}

/** Whether what it takes depends on what stands around it, or before. */
export function hasConditions(node: AST.Element): boolean {
  switch (node.type) {
    case 'Assertion':
    case 'Backreference':
      return true;
    case 'Quantifier':
      return hasConditions(node.element);
    case 'Group':
    case 'CapturingGroup':
      return node.alternatives.some(({ elements }) => elements.some(hasConditions));
    default:
      return false;
  }
}
