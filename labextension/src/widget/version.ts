/** Whether the kernel has the version of kfnb that made this script. */

import type { Context } from '../context';

/**
 * Returns a sentence if the versions differ, otherwise null. They do after kfnb was upgraded while
 * the kernel was running: the script is read from the new files.
 */
export function versionProblem(
  kernel: unknown,
  { trans }: Pick<Context, 'trans'>
): string | null {
  if (kernel === KFNB_VERSION) {
    return null;
  }
  const older =
    typeof kernel === 'string' && kernel !== ''
      ? `${trans('The kernel has kfnb')} ${kernel}`
      : trans('The kernel has an older version of kfnb');
  return `${older} ${trans('and this view has kfnb')} ${KFNB_VERSION}. ${trans('Restart the kernel and execute the cell again.')}`;
}
