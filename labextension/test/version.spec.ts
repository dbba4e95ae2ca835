import { versionProblem } from '../src/widget/version';

const context = { trans: (text: string) => text };

test('a kernel of the version of the view is no problem', () => {
  expect(versionProblem('1.0', context)).toBeNull();
});

test.each([
  ['0.9', 'The kernel has kfnb 0.9 and this view has kfnb 1.0.'],
  [undefined, 'The kernel has an older version of kfnb and this view has']
])('a kernel of version %s is named, with what to do', (kernel, words) => {
  const sentence = versionProblem(kernel, context);
  expect(sentence).toContain(words);
  expect(sentence).toContain('Restart the kernel');
});
