; Templates in templates, and names that are taken.

(define x 5)
(print `(1 ,x ,@(list x x) . ,x) `(,@'(1 2) . 3) `(1 . ,(+ x 1)) `,x `(,@'()) `(a ,@'() b))
(print `(1 `(2 ,(3 ,x))))
(print `(1 `,(2 ,@(list x x))))
(print (eval (eval ``(list ,x ,',x))))
(define-macro (define-adder name n) `(define-macro (,name y) `(+ ,y ,,n)))
(define-adder add-five x)
(print (add-five 2))

; What a procedure calls its variables is its own affair.
(define (f cons append list) `(,cons ,@append ,list))
(print (f 1 '(2 3) 4))
(print (let ((the-key 7) (member 8)) (case 1 ((1) (+ the-key member)) (else 'wrong))))
(define (g member) (case member ((1 2) 'few) ((3) (case 'inner ((inner) member))) (else 'many)))
(print (map g '(1 3 4)))

(print (map (lambda (form) (guard (e (error-message e)) (eval form)))
            '(`,@x `(1 . ,@x) `(1 ,@(car x)) `(1 unquote) `(1 unquote x x))))
