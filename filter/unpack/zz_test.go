package unpack
import ("testing";"os";"sekisho/filter/budget";"sekisho/filter/entity")
func TestZZ(t *testing.T){
 for _,f:=range []string{"la_test_fuzz.lzh","larc333__initial.lzs","lha_amiga_212__h1_lh5.lzh"}{
 b,err:=os.ReadFile("/work/shared/corpus/lzh/files/"+f); if err!=nil{continue}
 fs:=openLZH(&entity.Entity{Path:"in",Body:b},budget.New(budget.Default),func(e *entity.Entity){ t.Logf("%s %d %s",e.Path,len(e.Body),e.Reading); if f=="larc333__initial.lzs"{os.WriteFile("/tmp/lzi/ours",e.Body,0o600)}})
 for _,x:=range fs{t.Log(x)}
 }
}
