import type { CommandRegistry } from '@lumino/commands';
import { Menu } from '@lumino/widgets';
import { ids } from './ids';

/** The menu of a chip: what can be done with the active cell and its step. */
export function cellMenu(commands: CommandRegistry, label: string): Menu {
  const menu = new Menu({ commands });
  menu.title.label = label;
  const groups = [
    [ids.rename, ids.step, ids.above],
    [ids.setup, ids.parameters, ids.metrics, ids.skip],
    [ids.runOnly, ids.runFrom],
    [ids.grow, ids.shrink],
    [ids.clear]
  ];
  for (const [number, group] of groups.entries()) {
    if (number) {
      menu.addItem({ type: 'separator' });
    }
    for (const command of group) {
      menu.addItem({ command });
    }
  }
  return menu;
}
