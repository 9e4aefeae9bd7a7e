/** Small wrong changes of a file: one operator, constant or guard each. */

import {
  type IfStatement,
  isBinaryExpression,
  isBlock,
  isIfStatement,
  isImportDeclaration,
  isLiteralTypeNode,
  isNumericLiteral,
  isPrefixUnaryExpression,
  isPropertyAssignment,
  isStringLiteral,
  type Node,
  type SourceFile,
  SyntaxKind,
} from 'typescript/unstable/ast'

export interface Change {
  /** Offsets in the file's text. */
  start: number
  end: number
  /** What stands there instead. */
  to: string
}

const OPERATORS = new Map<SyntaxKind, string>([
  [SyntaxKind.AmpersandAmpersandToken, '||'],
  [SyntaxKind.BarBarToken, '&&'],
  [SyntaxKind.QuestionQuestionToken, '&&'],
  [SyntaxKind.EqualsEqualsEqualsToken, '!=='],
  [SyntaxKind.ExclamationEqualsEqualsToken, '==='],
  [SyntaxKind.LessThanToken, '<='],
  [SyntaxKind.LessThanEqualsToken, '<'],
  [SyntaxKind.GreaterThanToken, '>='],
  [SyntaxKind.GreaterThanEqualsToken, '>'],
  [SyntaxKind.PlusToken, '-'],
  [SyntaxKind.MinusToken, '+'],
  [SyntaxKind.AsteriskToken, '/'],
  [SyntaxKind.SlashToken, '*'],
  [SyntaxKind.QuestionQuestionEqualsToken, '='],
])

const LEAVES = new Set([
  SyntaxKind.ReturnStatement,
  SyntaxKind.ThrowStatement,
  SyntaxKind.ContinueStatement,
  SyntaxKind.BreakStatement,
])

/** In the order of the text. `choose` picks one of several ways to change the same place. */
export function changesOf(source: SourceFile, choose: <T>(ways: readonly T[]) => T): Change[] {
  const found: Change[] = []
  const at = (node: Node, to: string) => found.push({ start: node.getStart(source), end: node.getEnd(), to })

  function visit(node: Node): void {
    // Types are gone when the program runs, and a module by another name is not there.
    if (isImportDeclaration(node) || isLiteralTypeNode(node)) return
    if (isBinaryExpression(node)) {
      const operator = OPERATORS.get(node.operatorToken.kind)
      if (operator !== undefined) at(node.operatorToken, operator)
    } else if (node.kind === SyntaxKind.TrueKeyword) at(node, 'false')
    else if (node.kind === SyntaxKind.FalseKeyword) at(node, 'true')
    else if (isNumericLiteral(node)) at(node, choose(numbersBeside(Number(node.text.replaceAll('_', '')))))
    else if (isStringLiteral(node) && !isName(node) && !isSentence(node.text))
      at(node, `${node.getText(source).slice(0, -1)}~'`)
    else if (isPrefixUnaryExpression(node) && node.operator === SyntaxKind.ExclamationToken)
      found.push({ start: node.getStart(source), end: node.operand.getStart(source), to: '' })
    else if (isIfStatement(node) && isGuard(node)) at(node, '')
    node.forEachChild(visit)
  }
  visit(source)
  return found
}

function numbersBeside(value: number): string[] {
  return [value + 1, value - 1, value * 2].filter((other) => other >= 0 && other !== value).map(String)
}

/** The name of a property, in quotes. */
function isName(node: Node): boolean {
  return isPropertyAssignment(node.parent) && node.parent.name === node
}

/** Written for people: no test holds it word by word. */
function isSentence(text: string): boolean {
  return text.trim().includes(' ')
}

/** Leaves the function or the round of a loop, and does nothing else. */
function isGuard({ thenStatement: then, elseStatement }: IfStatement): boolean {
  const last = isBlock(then) ? then.statements.at(-1) : then
  return elseStatement === undefined && last !== undefined && LEAVES.has(last.kind)
}
