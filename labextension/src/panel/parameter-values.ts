/** The value of a parameter as a person types it. */

import type { Json } from '../protocol';

/**
 * Returns the value of a text; undefined if it does not fit.
 *
 * @param type - the parameter's type in Python; one that is not known takes JSON, or any text.
 */
export function parsed(text: string, type: string): Json | undefined {
  const trimmed = text.trim();
  switch (type) {
    case 'str':
      return text;
    case 'bool':
      return /^(true|false)$/i.test(trimmed)
        ? trimmed.toLowerCase() === 'true'
        : undefined;
    case 'int':
      return /^[+-]?\d+$/.test(trimmed) ? Number(trimmed) : undefined;
    case 'float':
      return trimmed !== '' && Number.isFinite(Number(trimmed))
        ? Number(trimmed)
        : undefined;
    default:
      try {
        return JSON.parse(trimmed) as Json;
      } catch {
        return /^(list|dict|tuple)\b/.test(type) ? undefined : text;
      }
  }
}
