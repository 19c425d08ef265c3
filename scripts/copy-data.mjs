// tsc copies no data files: bring those the code reads at run time beside the compiled code.
import { cpSync, existsSync } from 'node:fs';

for (const path of ['apimachinery/data', 'services/dashboard/public']) {
  if (existsSync(path)) cpSync(path, `dist/${path}`, { recursive: true });
}
