import { SettingsForm, type NotebookSettings } from '../src/settings';
import * as fields from '../src/settings/fields';
import type { JsonObject } from '../src/settings/fields';
import { PipelinePanel } from '../src/shell';
import { DIAMOND, FakeSource, page } from './samples';

class Notebook implements NotebookSettings {
  constructor(public settings: JsonObject) {}

  read(): JsonObject {
    return this.settings;
  }

  replace(settings: JsonObject): void {
    this.settings = settings;
  }
}

function control(label: string, n = 0): HTMLInputElement {
  const labels = [...document.querySelectorAll('label')].filter(
    one => one.firstChild?.textContent === label
  );
  return labels[n]!.querySelector<HTMLInputElement>('input, textarea, select')!;
}

function type(label: string, text: string, n = 0): void {
  const input = control(label, n);
  input.value = text;
  input.dispatchEvent(new Event('change', { bubbles: true }));
}

function press(label: string): void {
  const buttons = [...document.querySelectorAll('button')];
  buttons.find(({ textContent }) => textContent === label)!.click();
}

function opened(settings: JsonObject): { book: Notebook; form: SettingsForm } {
  const book = new Notebook(settings);
  const form = new SettingsForm(document.body, page().context, book);
  return { book, form };
}

afterEach(() => document.body.replaceChildren());

describe('the form for options of the pipeline', () => {
  it('sets options and volumes, and leaves everything else as it is', () => {
    const { book } = opened({
      name: 'digits',
      targets: { kubernetes: { namespace: 'ada' } },
      defaults: { retries: 2, cpu: 0.5, future: [1] },
      volumes: [{ name: 'tmp', mount: '/tmp/x', size: '1Gi' }]
    });
    expect(control('CPU').value).toBe('0.5');
    expect(control('Size').value).toBe('1Gi');
    type('Image', ' ada/train:2 ');
    type('Retries', '3');
    type('Cache', 'off');
    type('Environment', 'A=1\nB=x=y');
    type('Secrets', 'TOKEN=api/key');
    press('Add a volume');
    type('Folder in the steps', '/data', 1);
    type('Claim', 'big', 1);
    press('Set');
    expect(book.settings).toEqual({
      name: 'digits',
      targets: { kubernetes: { namespace: 'ada' } },
      defaults: {
        retries: 3,
        cpu: 0.5,
        future: [1],
        image: 'ada/train:2',
        cache: false,
        env: { A: '1', B: 'x=y' },
        secrets: [{ env: 'TOKEN', name: 'api', key: 'key' }]
      },
      volumes: [
        { name: 'tmp', mount: '/tmp/x', size: '1Gi' },
        { mount: '/data', claim: 'big' }
      ]
    });
  });

  it('removes what was emptied', () => {
    const { book } = opened({
      defaults: { image: 'a' },
      volumes: [{ claim: 'big', mount: '/data' }]
    });
    type('Image', '');
    press('Remove this volume');
    press('Set');
    expect(book.settings).toEqual({});
  });

  it.each([
    ['CPU', 'many'],
    ['Memory', '4 GB'],
    ['GPUs', '-1'],
    ['Retries', '1.5'],
    ['Timeout', 'soon'],
    ['Environment', '1A=x'],
    ['Secrets', 'TOKEN'],
    ['Limits', 'nvidia.com/gpu=lots']
  ])('marks %s that does not fit as it is typed: %s', (label, text) => {
    const { book } = opened({});
    type(label, text);
    expect(control(label).getAttribute('aria-invalid')).toBe('true');
    expect(control(label).nextElementSibling?.textContent).toContain(
      'does not fit'
    );
    press('Set');
    expect(book.settings).toEqual({});
    expect(document.activeElement).toBe(control(label));
  });

  it('wants a folder, and a claim or a name, for each volume', () => {
    const { book } = opened({});
    press('Add a volume');
    press('Set');
    expect(book.settings).toEqual({});
    type('Folder in the steps', '/data');
    type('Name', 'new');
    press('Set');
    expect(book.settings).toEqual({
      volumes: [{ mount: '/data', name: 'new' }]
    });
  });

  it('changes nothing when it is cancelled', () => {
    const { book, form } = opened({ defaults: { image: 'a' } });
    const closed = jest.fn();
    form.onClose = closed;
    type('Image', 'b');
    press('Cancel');
    expect(closed).toHaveBeenCalledWith(false);
    expect(book.settings).toEqual({ defaults: { image: 'a' } });
  });

  it('has the patterns of the schema', () => {
    const file = '../../kfnb/notebook/schemas/notebook.schema.json';
    const { $defs: defs } = jest.requireActual<{
      $defs: {
        quantity: { anyOf: { pattern?: string }[] };
        options: {
          properties: Record<
            string,
            {
              pattern?: string;
              anyOf?: { propertyNames?: { pattern: string } }[];
            }
          >;
        };
        volume: { properties: Record<string, { pattern?: string }> };
      };
    }>(file);
    const { properties } = defs.options;
    expect(fields.QUANTITY).toBe(defs.quantity.anyOf[0]?.pattern);
    expect(fields.COUNT).toBe(properties.retries?.pattern);
    expect(fields.COUNT).toBe(properties.gpu?.pattern);
    expect(fields.DURATION).toBe(properties.timeout?.pattern);
    expect(fields.IMAGE).toBe(properties.image?.pattern);
    expect(fields.VARIABLE).toBe(
      properties.env?.anyOf?.[0]?.propertyNames?.pattern
    );
    expect(fields.MOUNT).toBe(defs.volume.properties.mount?.pattern);
    // A new option of the schema needs a field, and a new one of a volume too.
    expect(fields.FIELDS.map(({ name }) => name).sort()).toEqual(
      Object.keys(properties).sort()
    );
    expect(fields.VOLUME_FIELDS.map(({ name }) => name).sort()).toEqual(
      Object.keys(defs.volume.properties).sort()
    );
  });
});

describe('options in a view', () => {
  it('can be changed where the notebook is open, and the form survives news of a run', () => {
    const book = new Notebook({});
    const source = new FakeSource(DIAMOND);
    const context = { ...page().context, settings: book };
    new PipelinePanel(document.body, context, source, null);
    const list = document.querySelector('.kfnb-pipeline-options')!;
    expect(list.querySelector('summary')?.textContent).toBe(
      'Options of the pipeline: none'
    );
    press('Change');
    type('Image', 'ada/train:2');
    source.set({ graph: { ...DIAMOND, diagnostics: [] } });
    expect(control('Image').value).toBe('ada/train:2');
    press('Set');
    expect(book.settings).toEqual({ defaults: { image: 'ada/train:2' } });
    expect(list.textContent).toContain('Save it');
    expect(document.activeElement?.textContent).toBe('Change');
  });
});
